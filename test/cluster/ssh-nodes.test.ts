import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { resources } from '../../src/cluster/kube-object.js';
import { pinnedKeysFile } from '../../src/distribution/pinned-keys-file.js';
import { openSession } from '../../src/distribution/sftp-session.js';
import type { SyncResult } from '../../src/distribution/sync-node.js';
import { syncOver } from '../conformance/openssh-site.js';
import { startKubeSite, type KubeSite } from './kube-site.js';
import { startSshNodes, type SshNodes } from './ssh-nodes.js';

let pins: string;
let site: KubeSite;
let fleet: SshNodes;
beforeAll(async () => {
  pins = await mkdtemp(join(tmpdir(), 'mirrorgate-pins-'));
  site = await startKubeSite();
  fleet = await startSshNodes(site, 2);
});
afterAll(async () => {
  await fleet.stop();
  await site.stop();
  await rm(pins, { recursive: true });
});

/** Brings a node to a state, knowing no more than what the cluster says about it. */
async function sync(name: string, files: ReadonlyMap<string, string>): Promise<SyncResult> {
  const client = await site.client();
  const node = await client.get(resources.nodes, { name });
  const { addresses } = node?.['status'] as { addresses: { type: string; address: string }[] };
  const annotations = node?.metadata.annotations ?? {};
  const secret = await client.get(resources.secrets, {
    namespace: 'openshift-windows-machine-config-operator',
    name: 'cloud-private-key',
  });
  const { 'private-key.pem': key = '' } = secret?.['data'] as Record<string, string>;
  const target = {
    name,
    address: addresses.find(({ type }) => type === 'InternalIP')?.address ?? '',
    port: Number(annotations['mirrorgate.dev/ssh-port']),
    username: annotations['mirrorgate.dev/ssh-username'] ?? '',
    privateKey: Buffer.from(key, 'base64').toString(),
    root: annotations['mirrorgate.dev/registries-directory'] ?? '',
  };
  const session = await openSession(target, pinnedKeysFile(join(pins, 'known_hosts')));
  try {
    return await syncOver(session, target, { files, revision: 'any' });
  } finally {
    await session.close();
  }
}

test('nodes can be found by what the cluster says, and hold what is written there', async () => {
  const [first, second] = fleet.nodes;
  expect((await site.kubectl(['get', 'nodes', '-l', 'kubernetes.io/os=windows', '-o', 'name'])).stdout).toBe(
    'node/win-1\nnode/win-2\n',
  );
  await sync('win-1', new Map([['quay.io', 'server = "a"\n']]));
  await sync('win-2', new Map([['quay.io', 'server = "b"\n']]));
  expect(await first!.files()).toEqual(new Map([['quay.io/hosts.toml', 'server = "a"\n']]));
  expect(await second!.files()).toEqual(new Map([['quay.io/hosts.toml', 'server = "b"\n']]));
});

test('a node that is added later has an address of its own and no files', async () => {
  const added = await fleet.add('win-9');
  expect(fleet.nodes.map(({ address }) => address)).toEqual(['127.0.0.2', '127.0.0.3', '127.0.0.4']);
  expect(await added.files()).toEqual(new Map());
});

test('a node refuses connections while its server is stopped, and is the same one afterwards', async () => {
  const [node] = fleet.nodes;
  await node!.stopSshd();
  await expect(sync('win-1', new Map())).rejects.toMatchObject({ class: 'unreachable' });
  await node!.startSshd();
  await sync('win-1', new Map([['quay.io', 'server = "c"\n']]));
  expect(await node!.files()).toEqual(new Map([['quay.io/hosts.toml', 'server = "c"\n']]));
});

test('another key logs in once the node and the Secret have it', async () => {
  const [node] = fleet.nodes;
  const key = fleet.makeKey();
  node!.authorize(key.publicKey);
  await expect(sync('win-1', new Map())).rejects.toMatchObject({ class: 'authentication' });
  await fleet.putKey(key);
  await sync('win-1', new Map());
  expect(await node!.files()).toEqual(new Map());
});
