/**
 * The one seam between what production writes and the loopback interface: a forward proxy in whose world every registry
 * host of the tests exists. A puller that is pointed at it (`HTTPS_PROXY`, `HTTP_PROXY`) and trusts its authority can be
 * given the rendered files as they are, byte for byte: names, ports, schemes, paths and headers. The proxy ends TLS under
 * the name asked for, writes down every request of a pull in one order over all hosts, and hands it on to the
 * docker-registry behind that host, where each host has a namespace of its own.
 */
import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, TLSSocket, type SecureContext } from 'node:tls';
import { createSelfSigned, issueLeaf } from '../../src/serving/self-signed.js';

/** What a pretended host does on one port. */
export interface Listener {
  /** `untrusted`: TLS with a certificate of an authority that the puller does not know. `closed`: nothing listens. */
  readonly speaks: 'tls' | 'untrusted' | 'http' | 'closed';
  /** Requests without exactly this `Authorization` are answered with 401. */
  readonly authorization?: string | undefined;
  /** Answers everything with this status: a registry in trouble. */
  readonly status?: number | undefined;
}

/** One thing that a puller did. */
export type Seen =
  | {
      readonly kind: 'request';
      /** `https://host:port`, the port always written. */
      readonly at: string;
      readonly method: string;
      /** Path and query. */
      readonly target: string;
      readonly authorization: string | undefined;
      readonly status: number;
    }
  | {
      /** A connection that came to nothing: nobody listens, or the two do not agree on TLS. */
      readonly kind: 'failure';
      /** `host:port`. */
      readonly at: string;
      readonly why: 'refused' | 'tls';
    };

export interface Backend {
  readonly port: number;
}

export interface PretendedWorld {
  /** What a host does on a port. */
  listener(host: string, port: number): Listener;
}

interface Pull {
  readonly world: PretendedWorld;
  readonly seen: (Seen | undefined)[];
  readonly sockets: Set<Duplex>;
}

interface Connection {
  readonly pull: Pull;
  readonly host: string;
  readonly port: number;
  readonly listener: Listener;
  readonly scheme: 'http' | 'https';
  /** Notes that nothing came of the connection. */
  readonly fail?: () => void;
}

export class RegistryFront {
  readonly #backends: readonly Backend[];
  readonly #pulls = new Map<string, Pull>();
  readonly #ended = new Set<string>();
  readonly #connections = new WeakMap<Duplex, Connection>();
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });
  readonly #sockets = new Set<Duplex>();
  readonly #forwarded: string[] = [];
  readonly #trusted: CertificateAuthority;
  readonly #untrusted: CertificateAuthority;
  /** Speaks HTTP inside the tunnels. */
  readonly #inner = createServer((message, response) => {
    const connection = this.#connections.get(message.socket);
    if (connection === undefined) throw new Error('a request outside of any tunnel');
    this.#answer(connection, message.url ?? '', message, response);
  });
  readonly #proxy = createServer((message, response) => {
    this.#answerAbsolute(message, response);
  });

  private constructor(
    backends: readonly Backend[],
    trusted: CertificateAuthority,
    untrusted: CertificateAuthority,
  ) {
    this.#backends = backends;
    this.#trusted = trusted;
    this.#untrusted = untrusted;
    this.#inner.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      // What is no request in plain HTTP is a TLS greeting; servers answer it in plain HTTP.
      if (error.code?.startsWith('HPE_') === true) this.#connections.get(socket)?.fail?.();
      socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    });
    this.#proxy.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#proxy.on('connect', (message: IncomingMessage, socket: Duplex) => {
      void this.#openTunnel(message, socket);
    });
  }

  static async start(backends: readonly Backend[]): Promise<RegistryFront> {
    const front = new RegistryFront(
      backends,
      await CertificateAuthority.create(),
      await CertificateAuthority.create(),
    );
    front.#proxy.listen(0, '127.0.0.1');
    await once(front.#proxy, 'listening');
    return front;
  }

  /** PEM of the authority that a puller must trust. */
  get trustedCa(): string {
    return this.#trusted.certificate;
  }

  /**
   * Makes a world known under an id.
   *
   * @returns the proxy address that puts a puller into it
   */
  open(id: string, world: PretendedWorld): string {
    this.#pulls.set(id, { world, seen: [], sockets: new Set() });
    const { port } = this.#proxy.address() as AddressInfo;
    return `http://${id}:x@127.0.0.1:${port}`;
  }

  /** What the puller of an id, which has ended, did in its world, in order. */
  async close(id: string): Promise<Seen[]> {
    const pull = this.#pulls.get(id);
    if (pull === undefined) throw new Error(`nothing is open under ${id}`);
    // A refused certificate is told by an alert that may come in after the puller is gone.
    await Promise.all(
      [...pull.sockets].map(async (socket) => {
        if (!socket.closed) await once(socket, 'close');
      }),
    );
    this.#pulls.delete(id);
    this.#ended.add(id);
    return pull.seen.filter((seen) => seen !== undefined);
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    const closed = once(this.#proxy, 'close');
    this.#proxy.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** What was handed on to a docker-registry since the start, as its access log should have it: `GET /v2/… 200`. */
  forwardedTo(backend: Backend): string[] {
    const prefix = `${backend.port} `;
    return this.#forwarded.flatMap((line) => (line.startsWith(prefix) ? [line.slice(prefix.length)] : []));
  }

  /** Where the images of a pretended host are: a docker-registry, and the namespace of the host in it. */
  placeOf(host: string, port: number): { readonly backend: Backend; readonly namespace: string } {
    const namespace = `${host}_${port}`;
    const sum = Array.from(namespace).reduce((total, character) => total + character.charCodeAt(0), 0);
    const backend = this.#backends[sum % this.#backends.length];
    if (backend === undefined) throw new Error('a front needs a docker-registry behind it');
    return { backend, namespace };
  }

  async #openTunnel(message: IncomingMessage, socket: Duplex): Promise<void> {
    const pull = this.#pullOf(message);
    if (pull === undefined) {
      // Opened by a puller that has ended, for a request that it then did not make.
      socket.destroy();
      return;
    }
    const [host = '', port = ''] = (message.url ?? '').split(':');
    const listener = pull.world.listener(host, Number(port));
    if (listener.speaks === 'closed') {
      pull.seen.push({ kind: 'failure', at: `${host}:${port}`, why: 'refused' });
      socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    pull.sockets.add(socket);
    // The place of a failure is where its connection was tried, whenever it is known.
    const slot = pull.seen.push(undefined) - 1;
    const fail = () => {
      pull.seen[slot] ??= { kind: 'failure', at: `${host}:${port}`, why: 'tls' };
    };
    const connection = { pull, host, port: Number(port), listener, fail };
    socket.on('error', () => undefined);
    if (listener.speaks === 'http') {
      this.#connections.set(socket, { ...connection, scheme: 'http' });
      socket.write(established);
      this.#inner.emit('connection', socket);
      return;
    }
    const authority = listener.speaks === 'tls' ? this.#trusted : this.#untrusted;
    const secureContext = await authority.contextFor(host);
    socket.write(established);
    const secure = new TLSSocket(socket, {
      isServer: true,
      secureContext,
    });
    secure.on('error', (error: NodeJS.ErrnoException) => {
      // An alert of the puller. A connection that it opened for a second request and then did not need is no failure.
      if (error.code?.startsWith('ERR_SSL_') === true) fail();
    });
    this.#connections.set(secure, { ...connection, scheme: 'https' });
    this.#inner.emit('connection', secure);
  }

  /** Plain HTTP through a proxy: the whole address stands in the request line. */
  #answerAbsolute(message: IncomingMessage, response: ServerResponse): void {
    const pull = this.#pullOf(message);
    if (pull === undefined) throw new Error(`a request for ${message.url ?? ''} after the end of its pull`);
    const url = new URL(message.url ?? '');
    const port = Number(url.port || '80');
    const listener = pull.world.listener(url.hostname, port);
    const at = `${url.hostname}:${port}`;
    if (listener.speaks === 'closed') {
      pull.seen.push({ kind: 'failure', at, why: 'refused' });
      // A proxy can say that only as an answer; closing the connection is nearer to there being none.
      message.socket.destroy();
      return;
    }
    if (listener.speaks !== 'http') {
      pull.seen.push({ kind: 'failure', at, why: 'tls' });
      response.writeHead(400).end('plain HTTP request sent to TLS port');
      return;
    }
    const connection: Connection = { pull, host: url.hostname, port, listener, scheme: 'http' };
    this.#answer(connection, url.pathname + url.search, message, response);
  }

  #answer(connection: Connection, target: string, message: IncomingMessage, response: ServerResponse): void {
    const { pull, host, port, listener, scheme } = connection;
    const { method = '' } = message;
    const { authorization } = message.headers;
    const at = `${scheme}://${host}:${port}`;
    // In the order in which they come in, whatever the order of the answers.
    const slot = pull.seen.push(undefined) - 1;
    const note = (status: number) => {
      pull.seen[slot] = { kind: 'request', at, method, target, authorization, status };
    };

    const refusal =
      listener.status ??
      (listener.authorization !== undefined && listener.authorization !== authorization ? 401 : undefined);
    const { backend, namespace } = this.placeOf(host, port);
    if (refusal !== undefined || !target.startsWith('/v2/')) {
      const status = refusal ?? 404;
      note(status);
      response.writeHead(status, { 'content-length': 0 }).end();
      return;
    }
    const path = `/v2/${namespace}/${target.slice('/v2/'.length)}`;
    const onward = request({
      agent: this.#agent,
      host: '127.0.0.1',
      port: backend.port,
      method,
      path,
      headers: { accept: message.headers.accept ?? '*/*' },
    });
    onward.once('error', (error) => {
      response.destroy(error);
    });
    onward.once('response', (answer) => {
      const { statusCode = 500, headers } = answer;
      note(statusCode);
      this.#forwarded.push(`${backend.port} ${method} ${path} ${statusCode}`);
      response.writeHead(statusCode, headers);
      answer.pipe(response);
    });
    onward.end();
  }

  /** `undefined` when the pull has ended. */
  #pullOf(message: IncomingMessage): Pull | undefined {
    const given = message.headers['proxy-authorization'] ?? '';
    const [id = ''] = Buffer.from(given.replace(/^Basic /, ''), 'base64')
      .toString()
      .split(':');
    const pull = this.#pulls.get(id);
    if (pull === undefined && !this.#ended.has(id)) {
      throw new Error(`a request for ${message.url ?? ''} belongs to no pull`);
    }
    return pull;
  }
}

const established = 'HTTP/1.1 200 Connection established\r\n\r\n';

class CertificateAuthority {
  readonly certificate: string;
  readonly #key: string;
  readonly #contexts = new Map<string, Promise<SecureContext>>();

  private constructor(certificate: string, key: string) {
    this.certificate = certificate;
    this.#key = key;
  }

  static async create(): Promise<CertificateAuthority> {
    const { caCert, caKey } = await createSelfSigned({ now: new Date(), hosts: ['localhost'] });
    return new CertificateAuthority(caCert, caKey);
  }

  contextFor(host: string): Promise<SecureContext> {
    const known = this.#contexts.get(host);
    if (known !== undefined) return known;
    const made = issueLeaf({
      now: new Date(),
      hosts: [host],
      ca: { cert: this.certificate, key: this.#key },
    }).then(createSecureContext);
    this.#contexts.set(host, made);
    return made;
  }
}
