/** A real docker-registry on a loopback port, and images put into it over the distribution API. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { Agent, request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { requireProgram } from './program.js';
import { ServerProcess } from './server-process.js';
import type { Blob, TinyImage } from './tiny-image.js';

export interface DockerRegistryOptions {
  /** An existing folder for its files. */
  readonly scratch: string;
  readonly name: string;
  /** Default: a free port of 127.0.0.1. */
  readonly address?: { readonly host: string; readonly port: number };
  /** PEM files; without them it speaks plain HTTP. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

export class DockerRegistry {
  readonly host: string;
  readonly port: number;
  readonly #process: ServerProcess;
  readonly #log: string;
  readonly #tls: boolean;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });

  private constructor(host: string, port: number, process: ServerProcess, log: string, tls: boolean) {
    this.host = host;
    this.port = port;
    this.#process = process;
    this.#log = log;
    this.#tls = tls;
  }

  static async start({ scratch, name, address, tls }: DockerRegistryOptions): Promise<DockerRegistry> {
    const program = requireProgram('docker-registry', 'docker-registry');
    const folder = join(scratch, name);
    await mkdir(folder);
    const { host, port } = address ?? { host: '127.0.0.1', port: await freePort() };
    const config = join(folder, 'config.yml');
    await writeFile(
      config,
      stringify({
        version: 0.1,
        log: { level: 'error', accesslog: { disabled: false } },
        storage: { inmemory: {} },
        http: { addr: `${host}:${port}`, ...(tls && { tls }) },
      }),
    );
    const logFile = join(folder, 'log');
    const process = await ServerProcess.start({
      name: 'docker-registry',
      program,
      args: ['serve', config],
      env: { PATH: globalThis.process.env['PATH'], OTEL_TRACES_EXPORTER: 'none' },
      logFile,
      isReady: () => acceptsConnections(host, port),
    });
    return new DockerRegistry(host, port, process, logFile, tls !== undefined);
  }

  /** Puts an image under a repository, by tag where one is given, else by its digest alone. */
  async push(repository: string, image: TinyImage, tag: string | undefined): Promise<void> {
    for (const blob of image.blobs) await this.#pushBlob(repository, blob);
    for (const manifest of image.manifests.toReversed()) {
      const isTagged = tag !== undefined && manifest === image.root;
      await this.#send(
        'PUT',
        `/v2/${repository}/manifests/${isTagged ? tag : manifest.digest}`,
        manifest.bytes,
        manifest.mediaType,
      );
    }
  }

  /** What pullers asked of it below a repository or namespace, or at all, in the order of its answers. */
  async accessLog(below = ''): Promise<string[]> {
    const text = await readFile(this.#log, 'utf8');
    // Common log format: … "GET /v2/… HTTP/1.1" 200 …
    return [...text.matchAll(/"([A-Z]+) (\S+) HTTP\/[\d.]+" (\d{3}) /g)]
      .filter(([, method]) => method === 'GET' || method === 'HEAD')
      .filter(([, , target = '']) => target.startsWith(`/v2/${below}`))
      .map(([, method = '', target = '', status = '']) => `${method} ${target} ${status}`);
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.#process.stop();
  }

  async #pushBlob(repository: string, blob: Blob): Promise<void> {
    const location = await this.#send('POST', `/v2/${repository}/blobs/uploads/`);
    const upload = new URL(location);
    upload.searchParams.set('digest', blob.digest);
    await this.#send('PUT', upload.pathname + upload.search, blob.bytes, 'application/octet-stream');
  }

  /** Resolves to the `Location` of the answer. */
  #send(method: string, path: string, body?: Buffer, contentType?: string): Promise<string> {
    const options: RequestOptions = {
      host: this.host,
      port: this.port,
      method,
      path,
      headers: {
        'content-length': body?.length ?? 0,
        ...(contentType !== undefined && { 'content-type': contentType }),
      },
    };
    return new Promise((resolve, reject) => {
      const sent = this.#tls
        ? // Its certificate is not the point here: this is a loopback port that was just opened.
          httpsRequest({ ...options, rejectUnauthorized: false })
        : httpRequest({ ...options, agent: this.#agent });
      sent.once('error', reject);
      sent.once('response', (response) => {
        response.resume();
        response.once('end', () => {
          const { statusCode = 0, headers } = response;
          if (statusCode < 300) resolve(headers.location ?? '');
          else reject(new Error(`docker-registry answered ${method} ${path} with ${statusCode}`));
        });
      });
      sent.end(body);
    });
  }
}

/** A loopback port on which nothing listens at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function acceptsConnections(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
