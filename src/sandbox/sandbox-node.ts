import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import ssh2, { type Connection } from 'ssh2';
import { authenticateByPublicKey } from './public-key-authentication.js';
import type { Interrupt, SandboxOperation, Verdict } from './sandbox-operation.js';
import { serveSftp } from './sftp-server.js';
import { generateSshKeyPair, publicKeyLine, readSshKey } from './ssh-key-pair.js';
import { WindowsVolume } from './windows-volume.js';

export interface SandboxNodeOptions {
  /** What the node is called in errors; no host name. */
  readonly name: string;
  /** Real folder on this machine that holds the node's drive C:; made when it does not exist. */
  readonly directory: string;
  readonly username: string;
  /** Public keys that may log in, each in OpenSSH's one-line form. */
  readonly authorizedKeys: readonly string[];
  /** Private key in a form that OpenSSH reads; a new Ed25519 key when absent. */
  readonly hostKey?: string | undefined;
  /** TCP port; 0, the default, picks a free one. */
  readonly port?: number | undefined;
  /** Milliseconds from the arrival of an SFTP request until it is carried out; default 0. */
  readonly latencyMs?: number | undefined;
  /** Called for every SFTP request before it is carried out, in that order. */
  readonly onOperation?: ((operation: SandboxOperation) => void) | undefined;
}

/** A running SSH server that behaves as a Windows node's OpenSSH does, with nothing to offer but SFTP. */
export interface SandboxNode {
  readonly name: string;
  readonly address: '127.0.0.1';
  readonly port: number;
  readonly username: string;
  /** The public host key in OpenSSH's one-line form, without a comment. */
  readonly hostKey: string;
  /** The SFTP requests received since the last {@link takeOperations}; the oldest are dropped beyond 10,000. */
  readonly operations: readonly SandboxOperation[];
  /** Connections that are open now, logged in or not. */
  readonly connections: number;
  /** SFTP sessions begun since the node started. */
  readonly sessionsBegun: number;
  /** Decides what becomes of each request; may be set at any time. `undefined` lets everything through. */
  interrupt: Interrupt | undefined;
  /** Returns the requests received so far and forgets them. */
  takeOperations(): readonly SandboxOperation[];
  /** The real path on this machine that a Windows path means. @throws VolumeFault when it means none. */
  resolve(windowsPath: string): string;
  /** Resets every connection, without a farewell. New ones are accepted. */
  killConnections(): void;
  /** Stops listening and drops every connection. @throws Error when serving failed for a reason of its own. */
  close(): Promise<void>;
}

const address = '127.0.0.1';

/** What Windows Server 2022 greets with: some clients make their packets fit for OpenSSH when they read it. */
const identification = 'OpenSSH_for_Windows_8.1';

const mostOperations = 10_000;

/** Starts a node on the loopback interface. @throws Error for a key that cannot be read or a port that is taken. */
export async function startSandboxNode(options: SandboxNodeOptions): Promise<SandboxNode> {
  const node = new RunningSandboxNode(options);
  await node.listen(options.port ?? 0);
  return node;
}

class RunningSandboxNode implements SandboxNode {
  readonly name: string;
  readonly address = address;
  readonly username: string;
  readonly hostKey: string;
  interrupt: Interrupt | undefined = undefined;

  readonly #volume: WindowsVolume;
  readonly #latencyMs: number;
  readonly #onOperation: ((operation: SandboxOperation) => void) | undefined;
  readonly #listener = createServer({ noDelay: true }, (socket) => {
    this.#admit(socket);
  });
  readonly #ssh: ssh2.Server;
  /** By the client's port, which tells the connections to one port of one address apart. */
  readonly #sockets = new Map<number, Socket>();
  #operations: SandboxOperation[] = [];
  #sessionsBegun = 0;
  #port = 0;
  #fault: { readonly error: unknown } | undefined;

  constructor(options: SandboxNodeOptions) {
    const hostKey = options.hostKey ?? generateSshKeyPair().privateKey;
    const keys = options.authorizedKeys.map((key, index) => readSshKey(key, `authorized key ${index + 1}`));
    this.name = options.name;
    this.username = options.username;
    this.hostKey = publicKeyLine(readSshKey(hostKey, 'the host key'));
    this.#latencyMs = options.latencyMs ?? 0;
    this.#onOperation = options.onOperation;
    this.#volume = new WindowsVolume(options.directory, ['Users', options.username]);
    this.#ssh = new ssh2.Server({ hostKeys: [hostKey], ident: identification }, (connection, info) => {
      authenticateByPublicKey(connection, options.username, keys);
      this.#serve(connection, info.port);
    });
  }

  get port(): number {
    return this.#port;
  }

  get operations(): readonly SandboxOperation[] {
    return [...this.#operations];
  }

  get connections(): number {
    return this.#sockets.size;
  }

  get sessionsBegun(): number {
    return this.#sessionsBegun;
  }

  async listen(port: number): Promise<void> {
    this.#listener.listen(port, address);
    await once(this.#listener, 'listening');
    this.#port = (this.#listener.address() as AddressInfo).port;
  }

  takeOperations(): readonly SandboxOperation[] {
    const taken = this.#operations;
    this.#operations = [];
    return taken;
  }

  resolve(windowsPath: string): string {
    return this.#volume.resolve(windowsPath);
  }

  killConnections(): void {
    for (const socket of this.#sockets.values()) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    if (this.#listener.listening) {
      const closed = once(this.#listener, 'close');
      this.#listener.close();
      this.killConnections();
      await closed;
    }
    if (this.#fault !== undefined) {
      throw new Error(`sandbox node ${this.name} failed while serving`, { cause: this.#fault.error });
    }
  }

  #admit(socket: Socket): void {
    const { remotePort } = socket;
    if (remotePort === undefined) {
      // The client has gone already.
      socket.destroy();
      return;
    }
    this.#sockets.set(remotePort, socket);
    socket.once('close', () => {
      if (this.#sockets.get(remotePort) === socket) this.#sockets.delete(remotePort);
    });
    this.#ssh.injectSocket(socket);
  }

  #serve(connection: Connection, clientPort: number): void {
    // Broken connections are the client's to notice. Whatever else a session does not listen for (a shell, a
    // command, forwarding) the library refuses.
    connection.on('error', () => undefined);
    connection.on('session', (accept) => {
      accept().on('sftp', (acceptSftp) => {
        this.#sessionsBegun += 1;
        serveSftp(acceptSftp(), {
          volume: this.#volume,
          interrupt: (operation) => this.#receive(operation),
          drop: () => this.#sockets.get(clientPort)?.resetAndDestroy(),
          latencyMs: this.#latencyMs,
          onFault: (error) => {
            this.#fault ??= { error };
          },
        });
      });
    });
  }

  #receive(operation: SandboxOperation): Verdict {
    this.#operations.push(operation);
    if (this.#operations.length > mostOperations) this.#operations.shift();
    this.#onOperation?.(operation);
    return this.interrupt?.(operation) ?? 'continue';
  }
}
