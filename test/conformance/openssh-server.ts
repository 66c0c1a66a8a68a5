import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { descendantsOf, killNow, whenGone } from './process-tree.js';
import { requireProgram } from './program.js';
import { makeSshKeyFile, type SshKeyFile } from './ssh-key-files.js';

export interface OpenSshServerOptions {
  /** A folder of the server's own: configuration, keys, log. */
  readonly directory: string;
  /** Public keys that may log in, each in one line. */
  readonly authorizedKeys: readonly string[];
  /** A new Ed25519 key when absent. */
  readonly hostKeys?: readonly SshKeyFile[];
  /** Of loopback; 127.0.0.1 by default. */
  readonly address?: string;
  /** 0, the default, picks a free one. */
  readonly port?: number;
  /** Who may log in, by default who runs the tests; another user takes root. Its login shell is not used. */
  readonly username?: string;
  /** Command of the SFTP subsystem. */
  readonly sftp?: string;
  /** More lines of sshd_config. */
  readonly settings?: readonly string[];
}

/** OpenSSH's own sshd, in the foreground, on a port of loopback. */
export interface OpenSshServer {
  readonly address: string;
  readonly port: number;
  /** The one user that can log in. */
  readonly username: string;
  readonly hostKeys: readonly SshKeyFile[];
  /** Has nobody but the holders of these keys log in from now on; each is one line. */
  authorize(publicKeys: readonly string[]): void;
  /** What the server has logged so far. */
  log(): string;
  /** The processes that serve connections now. */
  sessions(): number[];
  /** SIGKILL to the processes that serve connections; resolves when they are gone. The server goes on listening. */
  killSessions(): Promise<void>;
  /** SIGKILL to the server and all that it has started. */
  kill(): Promise<void>;
  /** Starts again on the same port, with the same keys. */
  restart(): Promise<void>;
  /** Stops the server and its sessions. May be called at any time, and twice. */
  stop(): Promise<void>;
}

const attempts = 5;

/**
 * Starts sshd. Started by root it needs the folder /run/sshd, which it makes, and can let any user in; started by any
 * other user it can let that one in.
 *
 * @throws Error that names the Debian package when sshd is missing, or shows sshd's own words when it does not start
 */
export async function startOpenSshServer(options: OpenSshServerOptions): Promise<OpenSshServer> {
  const binary = requireProgram('sshd', 'openssh-server');
  if (options.username !== undefined && process.getuid?.() !== 0)
    throw new Error(`to let ${options.username} log in, sshd must be started by root`);
  mkdirSync(options.directory, { recursive: true });
  const hostKeys = options.hostKeys ?? [
    makeSshKeyFile(join(options.directory, 'host_ed25519'), { type: 'ed25519' }),
  ];
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort(options.address ?? '127.0.0.1'));
    const server = new RunningServer(binary, port, hostKeys, options);
    try {
      await server.restart();
      return server;
    } catch (error) {
      // Somebody else may have taken the port meanwhile.
      if (attempt === attempts || options.port !== undefined || !/in use/.test(server.log())) throw error;
    }
  }
}

class RunningServer implements OpenSshServer {
  readonly address: string;
  readonly username: string;
  readonly #binary: string;
  readonly #authorizedKeys: string;
  readonly #logFile: string;
  readonly #configFile: string;
  #process: ChildProcess | undefined;

  constructor(
    binary: string,
    readonly port: number,
    readonly hostKeys: readonly SshKeyFile[],
    options: OpenSshServerOptions,
  ) {
    const { directory, address = '127.0.0.1' } = options;
    this.address = address;
    this.#binary = binary;
    this.#logFile = join(directory, 'sshd.log');
    this.#configFile = join(directory, 'sshd_config');
    this.username = options.username ?? userInfo().username;
    this.#authorizedKeys = join(directory, 'authorized_keys');
    this.authorize(options.authorizedKeys);
    // sshd reads it with the rights of the user who logs in.
    chmodSync(directory, 0o755);
    const lines = [
      `ListenAddress ${address}`,
      `Port ${port}`,
      ...hostKeys.map(({ path }) => `HostKey ${path}`),
      `AuthorizedKeysFile ${this.#authorizedKeys}`,
      'PidFile none',
      'UsePAM no',
      'UseDNS no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin prohibit-password',
      // The scratch folder stands below one that everybody can write to.
      'StrictModes no',
      'LogLevel VERBOSE',
      `Subsystem sftp ${options.sftp ?? 'internal-sftp'}`,
      ...(hasPenalties(binary) ? ['PerSourcePenalties no'] : []),
      ...(options.settings ?? []),
    ];
    writeFileSync(this.#configFile, lines.map((line) => `${line}\n`).join(''));
    writeFileSync(this.#logFile, '');
  }

  authorize(publicKeys: readonly string[]): void {
    writeFileSync(this.#authorizedKeys, publicKeys.map((key) => `${key}\n`).join(''));
  }

  log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  sessions(): number[] {
    const { pid } = this.#process ?? {};
    return pid === undefined ? [] : descendantsOf(pid);
  }

  async killSessions(): Promise<void> {
    const sessions = this.sessions();
    sessions.forEach(killNow);
    await whenGone(sessions);
  }

  async kill(): Promise<void> {
    const server = this.#process;
    this.#process = undefined;
    if (server?.pid === undefined) return;
    const closed = once(server, 'close');
    const sessions = descendantsOf(server.pid);
    killNow(server.pid);
    sessions.forEach(killNow);
    await Promise.all([closed, whenGone(sessions)]);
  }

  async stop(): Promise<void> {
    await this.kill();
  }

  async restart(): Promise<void> {
    await this.kill();
    if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true });
    const from = this.log().length;
    // The kernel ends sshd when this process dies, however that happens.
    const command = ['--pdeathsig', 'KILL', '--', this.#binary, '-D', '-e', '-f', this.#configFile];
    const server = spawn('setpriv', command, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = server;
    server.stderr.on('data', (text: Buffer) => {
      appendFileSync(this.#logFile, text);
    });
    let over: string | undefined;
    server.once('error', (error) => {
      over = `setpriv, of the Debian package util-linux, cannot be run: ${error.message}`;
    });
    server.once('close', (code) => (over ??= `exit code ${String(code)}`));
    while (!this.log().slice(from).includes('Server listening')) {
      if (over !== undefined) {
        this.#process = undefined;
        throw new Error(`sshd did not start (${over}):\n${this.log().slice(from)}`);
      }
      await sleep(5);
    }
  }
}

/** OpenSSH 9.8 and later turn away addresses from which log-ins failed: in these tests that is everybody. */
function hasPenalties(binary: string): boolean {
  const { stderr } = spawnSync(binary, ['-V'], { encoding: 'utf8' });
  const [, major = '0', minor = '0'] = /OpenSSH_(\d+)\.(\d+)/.exec(stderr) ?? [];
  return Number(major) > 9 || (Number(major) === 9 && Number(minor) >= 8);
}

async function freePort(address: string): Promise<number> {
  const server = createServer();
  server.listen(0, address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
