import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { HostKeyStore } from '../../src/distribution/host-key-store.js';
import { pinnedKeysFile } from '../../src/distribution/pinned-keys-file.js';
import { defaultRoot, type TargetNode } from '../../src/distribution/target-node.js';
import {
  startSandboxNode,
  type SandboxNode,
  type SandboxNodeOptions,
} from '../../src/sandbox/sandbox-node.js';
import type { SandboxOperation } from '../../src/sandbox/sandbox-operation.js';
import { generateSshKeyPair } from '../../src/sandbox/ssh-key-pair.js';

const username = 'Administrator';
const reading = new Set([
  'open-read',
  'read',
  'close',
  'stat',
  'lstat',
  'fstat',
  'opendir',
  'readdir',
  'realpath',
]);

/** Windows-like nodes for one test, in a folder of its own, with a record of host keys. */
export class DistributionSite {
  readonly directory = mkdtempSync(join(tmpdir(), 'mirrorgate-site-'));
  readonly pins = join(this.directory, 'pins');
  readonly hostKeys: HostKeyStore = pinnedKeysFile(this.pins);
  readonly userKey = generateSshKeyPair();
  readonly #nodes: SandboxNode[] = [];

  async start(name: string, more: Partial<SandboxNodeOptions> = {}): Promise<SandboxNode> {
    const node = await startSandboxNode({
      name,
      directory: join(this.directory, name),
      username,
      authorizedKeys: [this.userKey.publicKey],
      ...more,
    });
    this.#nodes.push(node);
    return node;
  }

  target(node: Pick<SandboxNode, 'name' | 'address' | 'port'>, more: Partial<TargetNode> = {}): TargetNode {
    const { name, address, port } = node;
    return { name, address, port, username, privateKey: this.userKey.privateKey, root: defaultRoot, ...more };
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.close()));
    rmSync(this.directory, { recursive: true });
  }
}

/** Every file below a node's root, path with `/` → content. */
export function treeOf(node: SandboxNode): Record<string, string> {
  const root = node.resolve(defaultRoot);
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(
    files.sort().map((file) => [file.slice(root.length + 1), readFileSync(file, 'utf8')]),
  );
}

/** The registry directories of a node. */
export function directoriesOf(node: SandboxNode): string[] {
  return readdirSync(node.resolve(defaultRoot)).sort();
}

/** Puts a file below a node's root, as somebody on the node would. */
export function putFile(node: SandboxNode, path: string, content: string): void {
  const file = join(node.resolve(defaultRoot), path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

/** The requests that change something. */
export function changesOf(operations: readonly SandboxOperation[]): SandboxOperation[] {
  return operations.filter(({ kind }) => !reading.has(kind));
}

/** A port of this machine on which nobody listens. */
export async function deadPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
