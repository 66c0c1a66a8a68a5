import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { HostKeyStore } from '../../src/distribution/host-key-store.js';
import { pinnedKeysFile } from '../../src/distribution/pinned-keys-file.js';
import { openSession, type SessionOptions, type SftpSession } from '../../src/distribution/sftp-session.js';
import { syncNode, type SyncResult } from '../../src/distribution/sync-node.js';
import type { TargetNode } from '../../src/distribution/target-node.js';
import type { DesiredState } from '../../src/hosts/desired-state.js';
import { startOpenSshServer, type OpenSshServer, type OpenSshServerOptions } from './openssh-server.js';
import { makeSshKeyFile } from './ssh-key-files.js';

/** OpenSSH servers for one test, in a folder of its own, with a key that may log in and a record of host keys. */
export class OpenSshSite {
  readonly directory = mkdtempSync(join(tmpdir(), 'mirrorgate-openssh-'));
  readonly pins = join(this.directory, 'pins');
  readonly hostKeys: HostKeyStore = pinnedKeysFile(this.pins);
  readonly userKey = makeSshKeyFile(join(this.directory, 'user'), { type: 'ed25519' });
  readonly #cleanUps: (() => unknown)[] = [];

  constructor() {
    // Other users pass through to what is theirs.
    chmodSync(this.directory, 0o711);
  }

  async start(name: string, more: Partial<OpenSshServerOptions> = {}): Promise<OpenSshServer> {
    const server = await startOpenSshServer({
      directory: join(this.directory, name),
      authorizedKeys: [this.userKey.publicKey],
      ...more,
    });
    this.onClose(() => server.stop());
    return server;
  }

  /** A node behind a server, with its files in a folder of its own. */
  target(server: OpenSshServer, name = 'win-1', more: Partial<TargetNode> = {}): TargetNode {
    const { address, port, username } = server;
    const root = join(this.directory, 'nodes', name);
    return { name, address, port, username, privateKey: this.userKey.privateKey, root, ...more };
  }

  /** One run on one node, over a connection of its own. */
  async sync(
    target: TargetNode,
    desired: DesiredState,
    options: SessionOptions & { readonly hostKeys?: HostKeyStore } = {},
  ): Promise<SyncResult> {
    const session = await openSession(target, options.hostKeys ?? this.hostKeys, options);
    try {
      return await syncOver(session, target, desired);
    } finally {
      await session.close();
    }
  }

  /** Has something undone at the end, whatever becomes of the test; what came last is undone first. */
  onClose(cleanUp: () => unknown): void {
    this.#cleanUps.push(cleanUp);
  }

  async close(): Promise<void> {
    const faults: unknown[] = [];
    for (const cleanUp of this.#cleanUps.splice(0).reverse()) {
      try {
        await cleanUp();
      } catch (error) {
        faults.push(error);
      }
    }
    if (faults.length > 0) throw new AggregateError(faults, `not everything in ${this.directory} was undone`);
    rmSync(this.directory, { recursive: true });
  }
}

export function syncOver(
  session: SftpSession,
  target: TargetNode,
  desired: DesiredState,
): Promise<SyncResult> {
  return syncNode(session, target.root, desired, {
    randomSuffix: () => randomBytes(8).toString('hex'),
    pause: () => Promise.resolve(),
  });
}

/** Every file below a folder, path with `/` → content; none where there is no such folder. */
export function treeOf(root: string): Record<string, string> {
  const files = entriesOf(root).filter((path) => lstatSync(join(root, path)).isFile());
  return Object.fromEntries(files.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

/** Every file and directory below a folder and the folder itself, with what tells whether it was touched. */
export function marksOf(root: string): Record<string, string> {
  const paths = ['', ...entriesOf(root)];
  return Object.fromEntries(
    paths.map((path) => {
      const { ino, mtimeNs, ctimeNs } = lstatSync(join(root, path), { bigint: true });
      return [path, `inode ${ino} modified ${mtimeNs} changed ${ctimeNs}`];
    }),
  );
}

/** What a node holds once it has been brought to a desired state. */
export function filesOf(desired: DesiredState): Record<string, string> {
  return Object.fromEntries([...desired.files].map(([directory, text]) => [`${directory}/hosts.toml`, text]));
}

/** Puts a file below a node's root, as somebody on the node would. */
export function putFile(root: string, path: string, content: string): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

/** Paths of all that stands below a folder, sorted. */
export function entriesOf(root: string): string[] {
  try {
    return readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
