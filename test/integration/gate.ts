/** A gate over real sockets and TLS, and a client for it. */
import { once } from 'node:events';
import { Agent, createServer, request, type RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { admissionApp, type AdmissionDeps } from '../../src/admission/admission-app.js';
import type { ReviewedEvent } from '../../src/admission/admission-observer.js';
import { noInsecureRegistries } from '../../src/mirrors/insecure-registries.js';
import { emptyIndex } from '../../src/mirrors/mirror-set-index.js';
import { defaultPolicy } from '../../src/policy/policy.js';
import { createSelfSigned } from '../../src/serving/self-signed.js';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  readonly json: unknown;
}

export interface SendOptions {
  /** Default `POST`. */
  readonly method?: string;
  /** Default `Content-Type: application/json`. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Gate {
  readonly reviewed: readonly ReviewedEvent[];
  readonly refused: readonly string[];
  readonly faults: readonly unknown[];
  /** Sends a whole request and reads the whole answer. */
  send(path: string, body?: string | Buffer, options?: SendOptions): Promise<Answer>;
  /** Options of a request of one's own. */
  readonly target: RequestOptions;
  stop(): Promise<void>;
}

export async function startGate(overrides: Partial<AdmissionDeps> = {}): Promise<Gate> {
  const reviewed: ReviewedEvent[] = [];
  const refused: string[] = [];
  const faults: unknown[] = [];
  const app = admissionApp({
    policy: () => defaultPolicy(),
    index: () => emptyIndex,
    insecure: () => noInsecureRegistries,
    now: () => new Date('2026-11-24T07:00:00Z'),
    observer: {
      onReviewed: (event) => void reviewed.push(event),
      onRefused: (code) => void refused.push(code),
      onInternalFault: (error) => void faults.push(error),
    },
    ...overrides,
  });
  const { cert, key, caCert } = await createSelfSigned({ now: new Date(), hosts: ['127.0.0.1'] });
  const server = createServer({ cert, key }, app);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const agent = new Agent({ ca: caCert, keepAlive: true, maxSockets: 100 });
  const target = { host: '127.0.0.1', port: (server.address() as AddressInfo).port, agent };

  return {
    reviewed,
    refused,
    faults,
    target,
    send: async (path, body, { method = 'POST', headers } = {}) => {
      const outgoing = request({
        ...target,
        path,
        method,
        headers: { 'Content-Type': 'application/json', ...headers },
      });
      outgoing.end(body);
      return readAnswer(outgoing);
    },
    stop: async () => {
      agent.destroy();
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}

/** The answer to a request that was, or still is being, sent. */
export async function readAnswer(outgoing: ReturnType<typeof request>): Promise<Answer> {
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const isJson = text !== '' && response.headers['content-type']?.startsWith('application/json') === true;
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    json: isJson ? (JSON.parse(text) as unknown) : undefined,
  };
}
