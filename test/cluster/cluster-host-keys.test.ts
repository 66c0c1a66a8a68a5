import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { clusterHostKeys } from '../../src/cluster/cluster-host-keys.js';
import { clusterReflectors, type ClusterReflectors } from '../../src/cluster/cluster-reflectors.js';
import type { KubeClient } from '../../src/cluster/kube-client.js';
import { resources } from '../../src/cluster/kube-object.js';
import type { HostKeyStore } from '../../src/distribution/host-key-store.js';
import { generateSshKeyPair } from '../../src/sandbox/ssh-key-pair.js';
import { findKubePrograms } from './kube-programs.js';
import { startKubeSite, type KubeSite } from './kube-site.js';

const wmco = 'openshift-windows-machine-config-operator';
const hostKeyPins = { namespace: 'mirrorgate', name: 'mirrorgate-host-keys' };
const operatorPins = { namespace: wmco, name: 'windows-ssh-host-keys' };
const annotation = 'windowsmachineconfig.openshift.io/ssh-host-key';

const newKey = (): Buffer => Buffer.from(generateSshKeyPair().publicKey.split(' ')[1]!, 'base64');
const key = newKey();
const changed = newKey();
const hostAt = (address: string) => ({ name: address, address, port: 22 });

let site: KubeSite;
let client: KubeClient;
const reflectors: ClusterReflectors[] = [];

beforeAll(async () => {
  site = await startKubeSite();
  client = await site.client();
});
afterAll(() => site.stop());
afterEach(async () => {
  for (const each of reflectors.splice(0)) await each.stop();
  await client.remove(resources.secrets, hostKeyPins);
  await client.remove(resources.configMaps, operatorPins);
  await client.remove(resources.nodes, { name: 'win-1' });
});

/** As one process has it. */
async function startStore(): Promise<HostKeyStore> {
  const followed = clusterReflectors(
    client,
    {
      sshKey: { namespace: wmco, name: 'cloud-private-key' },
      hostKeyPins,
      operatorPins,
      reports: false,
    },
    { onFault: () => undefined },
  );
  reflectors.push(followed);
  followed.start();
  await vi.waitFor(() => {
    expect(followed.unsynced()).toEqual([]);
  }, 20_000);
  return clusterHostKeys({
    client,
    nodes: followed.nodes,
    pins: followed.hostKeyPins,
    operatorPins: followed.operatorPins,
  });
}

/** Runs the command of a hint as an administrator would: pasted into a shell. */
async function paste(hint: string): Promise<void> {
  const command = /kubectl .*$/.exec(hint)?.[0];
  if (command === undefined) throw new Error(`no command in: ${hint}`);
  const path = `${dirname(findKubePrograms().kubectl)}:${process.env['PATH'] ?? ''}`;
  const env = { PATH: path, HOME: site.directory, KUBECONFIG: site.kubeconfig };
  await promisify(execFile)('sh', ['-c', command], { env });
}

async function refusalOf(store: HostKeyStore, address: string, shown: Buffer): Promise<string> {
  const verdict = await store.check(hostAt(address), shown);
  if (verdict.accepted) throw new Error(`the key of ${address} was accepted`);
  expect(verdict.reason).toBe('changed');
  return verdict.hint;
}

describe('host keys in a cluster', () => {
  test('two processes pin many hosts at the same time, and lose none', async () => {
    const stores = [await startStore(), await startStore()];
    const addresses = Array.from({ length: 60 }, (_, index) => `10.0.1.${index}`);
    const verdicts = await Promise.all(
      addresses.map((address, index) => stores[index % 2]!.check(hostAt(address), key)),
    );
    expect(verdicts.every(({ accepted }) => accepted)).toBe(true);
    const third = await startStore();
    for (const address of addresses) {
      expect(await third.check(hostAt(address), key)).toEqual({ accepted: true, pinned: false });
    }
  });

  test('the command of the hint takes one pin out, and the new key is pinned', async () => {
    const store = await startStore();
    await store.check(hostAt('10.0.0.5'), key);
    await store.check(hostAt('10.0.0.6'), key);
    await paste(await refusalOf(store, '10.0.0.5', changed));
    expect(await store.check(hostAt('10.0.0.5'), changed)).toEqual({ accepted: true, pinned: true });
    await refusalOf(store, '10.0.0.6', changed);
  });

  test('the command of the hint takes the last pin out too', async () => {
    const store = await startStore();
    await store.check(hostAt('10.0.0.5'), key);
    await paste(await refusalOf(store, '10.0.0.5', changed));
    expect(await store.check(hostAt('10.0.0.5'), changed)).toEqual({ accepted: true, pinned: true });
  });

  test('a Secret that is deleted comes back with its pins', async () => {
    const store = await startStore();
    await store.check(hostAt('10.0.0.5'), key);
    // Once it knows its own pin it need not read the Secret to accept the key.
    await vi.waitFor(() => {
      expect(reflectors[0]?.hostKeyPins.objects.current()?.size).toBe(1);
    });
    await client.remove(resources.secrets, hostKeyPins);
    await vi.waitFor(() => {
      expect(reflectors[0]?.hostKeyPins.objects.current()?.size).toBe(0);
    });
    await refusalOf(store, '10.0.0.5', changed);
    expect(await (await startStore()).check(hostAt('10.0.0.5'), key)).toEqual({
      accepted: true,
      pinned: false,
    });
  });

  test('the commands of the hints replace the pins of WMCO, on the Node and before it is there', async () => {
    await client.create(resources.configMaps, {
      metadata: operatorPins,
      data: { '10.0.0.7': key.toString('base64') },
    });
    const node = await client.create(resources.nodes, {
      metadata: {
        name: 'win-1',
        labels: { 'kubernetes.io/os': 'windows' },
        annotations: { [annotation]: key.toString('base64') },
      },
    });
    expect(node.metadata.name).toBe('win-1');
    const store = await startStore();
    for (const host of [
      { name: 'win-1', address: '10.0.0.5', port: 22 },
      { name: '10.0.0.7', address: '10.0.0.7', port: 22 },
    ]) {
      expect(await store.check(host, key)).toEqual({ accepted: true, pinned: false });
      const verdict = await store.check(host, changed);
      if (verdict.accepted) throw new Error('accepted');
      await paste(verdict.hint);
      await vi.waitFor(async () => {
        expect(await store.check(host, changed)).toEqual({ accepted: true, pinned: false });
      }, 20_000);
    }
    expect(await client.get(resources.secrets, hostKeyPins)).toBeUndefined();
  });
});
