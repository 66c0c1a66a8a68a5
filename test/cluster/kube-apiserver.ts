import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { ServerProcess } from '../conformance/server-process.js';
import { untilDeath } from './until-death.js';

export interface KubeApiServerOptions {
  readonly program: string;
  /** Of its own: certificates, keys, log. */
  readonly directory: string;
  readonly etcd: string;
  readonly port: number;
  /** A file as `--token-auth-file` takes it, read at every start. */
  readonly tokenFile: string;
  /** A token of that file that may ask for /readyz. */
  readonly token: string;
  readonly flags: readonly string[];
}

/**
 * A kube-apiserver that can be stopped and started again, with the same port, certificate and data. It is alone: there
 * is no controller manager, so nothing is garbage collected, a namespace that is deleted stays `Terminating`, and
 * service accounts have no tokens.
 */
export class KubeApiServer {
  readonly url: string;
  readonly port: number;
  /** Holds the certificate authority of the serving certificate, once the server has been started. */
  readonly caFile: string;
  readonly #options: KubeApiServerOptions;
  readonly #keyFile: string;
  #process: ServerProcess | undefined;

  constructor(options: KubeApiServerOptions) {
    const { directory, port } = options;
    this.#options = options;
    this.port = port;
    this.url = `https://127.0.0.1:${port}`;
    // The server makes the pair in --cert-dir when it first starts, and takes what is there afterwards.
    this.caFile = join(directory, 'apiserver.crt');
    this.#keyFile = join(directory, 'service-accounts.key');
    execFileSync('openssl', ['genrsa', '-out', this.#keyFile, '2048'], { stdio: 'pipe' });
  }

  /** Resolves when /readyz says so. */
  async start(): Promise<void> {
    if (this.#process !== undefined) throw new Error('the kube-apiserver runs already');
    const { program, directory, etcd, tokenFile, flags } = this.#options;
    this.#process = await ServerProcess.start({
      name: 'kube-apiserver',
      ...untilDeath(program, [
        `--etcd-servers=${etcd}`,
        // What is forgotten, and when, is for the tests to say.
        '--etcd-compaction-interval=0',
        '--bind-address=127.0.0.1',
        `--secure-port=${this.port}`,
        `--cert-dir=${directory}`,
        `--service-account-key-file=${this.#keyFile}`,
        `--service-account-signing-key-file=${this.#keyFile}`,
        '--service-account-issuer=https://kubernetes.default.svc',
        '--api-audiences=api',
        '--authorization-mode=RBAC',
        `--token-auth-file=${tokenFile}`,
        '--service-cluster-ip-range=10.0.0.0/24',
        '--endpoint-reconciler-type=none',
        // It would wait for tokens that nobody makes.
        '--disable-admission-plugins=ServiceAccount',
        ...flags,
      ]),
      logFile: join(directory, 'kube-apiserver.log'),
      // Seconds of pure computing, on a machine that may do much else.
      startTimeout: 120_000,
      isReady: () => this.#isReady(),
    });
  }

  /** SIGTERM, and SIGKILL where open watches hold it up. */
  async stop(): Promise<void> {
    const server = this.#process;
    this.#process = undefined;
    await server?.stop();
  }

  async kill(): Promise<void> {
    // Ends a frozen one too.
    if (this.#process !== undefined) this.#signal('SIGKILL');
    await this.stop();
  }

  /** Connections stay open, and nothing is answered any more. */
  freeze(): void {
    this.#signal('SIGSTOP');
  }

  thaw(): void {
    this.#signal('SIGCONT');
  }

  #signal(signal: NodeJS.Signals): void {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error('the kube-apiserver does not run');
    process.kill(pid, signal);
  }

  async #isReady(): Promise<boolean> {
    return new Promise((resolve) => {
      let ca: string;
      try {
        ca = readFileSync(this.caFile, 'utf8');
      } catch {
        resolve(false);
        return;
      }
      const headers = { authorization: `Bearer ${this.#options.token}` };
      const request = get(
        `${this.url}/readyz`,
        { ca, headers, agent: false, signal: AbortSignal.timeout(2_000) },
        (answer) => {
          answer.resume();
          resolve(answer.statusCode === 200);
        },
      );
      request.once('error', () => {
        resolve(false);
      });
    });
  }
}
