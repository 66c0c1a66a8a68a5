import { mkdirSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { resources } from '../../src/cluster/kube-object.js';
import { startOpenSshServer, type OpenSshServer } from '../conformance/openssh-server.js';
import { makeSshKeyFile, type SshKeyFile } from '../conformance/ssh-key-files.js';
import { freePort } from './free-port.js';
import type { KubeSite } from './kube-site.js';

/** A Windows Node of a test cluster, behind a real OpenSSH server that writes into a folder of its own. */
export interface SshNode {
  readonly name: string;
  /** Its InternalIP, of loopback, and no other node's: host keys are remembered by address. */
  readonly address: string;
  readonly port: number;
  readonly username: string;
  /** Where mirrorgate is to put the registries. Nothing is there at first, the folder neither. */
  readonly directory: string;
  readonly hostKey: SshKeyFile;
  /** The server, for its log and its sessions. */
  readonly server: OpenSshServer;
  /** All files below `directory`, path from there with `/` → content. */
  files(): Promise<ReadonlyMap<string, string>>;
  /** SIGKILL: connections are cut, and new ones are refused. */
  stopSshd(): Promise<void>;
  /** On the same port, with the same host key. */
  startSshd(): Promise<void>;
  /** Has nobody but the holders of these keys log in from now on; each is one line. */
  authorize(...publicKeys: readonly string[]): void;
}

export interface SshNodes {
  readonly nodes: readonly SshNode[];
  /** Logs in at every node, until something else is said. */
  readonly key: SshKeyFile;
  /** One more Node. */
  add(name: string): Promise<SshNode>;
  /** Another key pair, which logs in nowhere yet. */
  makeKey(): SshKeyFile;
  /** Puts a private key into the Secret that mirrorgate takes it from. */
  putKey(key: SshKeyFile): Promise<void>;
  /** Stops the servers; the Nodes stay. */
  stop(): Promise<void>;
}

export interface SshNodesOptions {
  /** Where the private key goes; by default where WMCO keeps it. */
  readonly secret?: { readonly namespace: string; readonly name: string; readonly key: string };
  /** Command of the SFTP subsystem of every node. */
  readonly sftp?: string;
}

const wmcoSecret = {
  namespace: 'openshift-windows-machine-config-operator',
  name: 'cloud-private-key',
  key: 'private-key.pem',
};

/**
 * Starts Windows Nodes, makes their Node objects, and puts the key that logs in there into a Secret.
 *
 * @param names a number is short for `win-1`, `win-2` …
 */
export async function startSshNodes(
  site: KubeSite,
  names: readonly string[] | number,
  { secret = wmcoSecret, sftp }: SshNodesOptions = {},
): Promise<SshNodes> {
  const running = new RunningSshNodes(site, secret, sftp);
  try {
    await running.putKey(running.key);
    const list = typeof names === 'number' ? Array.from({ length: names }, (_, i) => `win-${i + 1}`) : names;
    for (const name of list) await running.add(name);
    return running;
  } catch (error) {
    await running.stop();
    throw error;
  }
}

class RunningSshNodes implements SshNodes {
  readonly nodes: SshNode[] = [];
  readonly key: SshKeyFile;
  readonly #site: KubeSite;
  readonly #secret: Required<SshNodesOptions>['secret'];
  readonly #sftp: string | undefined;
  readonly #folder: string;
  #keys = 0;

  constructor(site: KubeSite, secret: Required<SshNodesOptions>['secret'], sftp: string | undefined) {
    this.#site = site;
    this.#secret = secret;
    this.#sftp = sftp;
    this.#folder = join(site.directory, 'ssh-nodes');
    mkdirSync(this.#folder);
    this.key = this.makeKey();
  }

  async add(name: string): Promise<SshNode> {
    const address = `127.0.0.${this.nodes.length + 2}`;
    const server = await startOpenSshServer({
      directory: join(this.#folder, name),
      address,
      port: await freePort(address),
      authorizedKeys: [this.key.publicKey],
      ...(this.#sftp !== undefined && { sftp: this.#sftp }),
    });
    const node = sshNode(name, server, join(this.#folder, name, 'registries'));
    this.nodes.push(node);
    await this.#register(node);
    return node;
  }

  makeKey(): SshKeyFile {
    this.#keys += 1;
    return makeSshKeyFile(join(this.#folder, `user-${this.#keys}`), { type: 'ed25519' });
  }

  async putKey({ privateKey }: SshKeyFile): Promise<void> {
    const { namespace, name, key } = this.#secret;
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace, name },
      data: { [key]: Buffer.from(privateKey).toString('base64') },
    };
    await this.#site.kubectl(['apply', '-f', '-'], { input: JSON.stringify(secret) });
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(({ server }) => server.stop()));
  }

  async #register({ name, address, port, username, directory }: SshNode): Promise<void> {
    const client = await this.#site.client();
    await client.create(resources.nodes, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name,
        labels: { 'kubernetes.io/os': 'windows' },
        annotations: {
          'mirrorgate.dev/ssh-port': String(port),
          'mirrorgate.dev/ssh-username': username,
          'mirrorgate.dev/registries-directory': directory,
        },
      },
      status: {
        addresses: [
          { type: 'Hostname', address: name },
          { type: 'InternalIP', address },
        ],
      },
    });
  }
}

function sshNode(name: string, server: OpenSshServer, directory: string): SshNode {
  const [hostKey] = server.hostKeys;
  if (hostKey === undefined) throw new Error(`the server of ${name} has no host key`);
  const { address, port, username } = server;
  return {
    name,
    address,
    port,
    username,
    directory,
    hostKey,
    server,
    files: () => filesBelow(directory),
    stopSshd: () => server.kill(),
    startSshd: () => server.restart(),
    authorize: (...publicKeys) => {
      server.authorize(publicKeys);
    },
  };
}

/** Takes what vanishes while it reads, mirrorgate's unfinished files above all, as never having been there. */
async function filesBelow(directory: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const entries = await orNothing(readdir(directory, { recursive: true, withFileTypes: true }));
  for (const entry of entries ?? []) {
    const path = join(entry.parentPath, entry.name);
    const content = entry.isFile() ? await orNothing(readFile(path, 'utf8')) : undefined;
    if (content !== undefined) files.set(relative(directory, path).split(sep).join('/'), content);
  }
  return files;
}

async function orNothing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
