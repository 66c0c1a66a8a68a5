import { beforeEach, describe, expect, it } from 'vitest';
import { ApiError } from '../../../src/cluster/api-error.js';
import { clusterHostKeys } from '../../../src/cluster/cluster-host-keys.js';
import { resources, type KubeObject } from '../../../src/cluster/kube-object.js';
import { secretText } from '../../../src/cluster/secret-text.js';
import { fingerprintOf, type HostKeyStore } from '../../../src/distribution/host-key-store.js';
import { generateSshKeyPair } from '../../../src/sandbox/ssh-key-pair.js';
import { FakeApi, type Link } from './fake-api.js';
import { HeldObjects, secret } from './held-objects.js';

const newKey = () => {
  const line = generateSshKeyPair().publicKey;
  return { line, wire: Buffer.from(line.split(' ')[1]!, 'base64') };
};
const key = newKey();
const other = newKey();
const host = { name: 'win-1', address: '10.0.0.5', port: 22 };
const pinKey = { namespace: 'mirrorgate', name: 'mirrorgate-host-keys' };
const mapKey = { namespace: 'wmco', name: 'windows-ssh-host-keys' };
const annotation = 'windowsmachineconfig.openshift.io/ssh-host-key';

const node = (name: string, address: string, annotations: Record<string, string> = {}): KubeObject => ({
  metadata: { name, annotations },
  status: { addresses: [{ type: 'InternalIP', address }] },
});

let api: FakeApi;
let nodes: HeldObjects;
/** What the reflector on the Secret knows: it follows when a test says so. */
let pins: HeldObjects;
const storedPins = () => api.get(resources.secrets, pinKey);
const follow = () => {
  const stored = storedPins();
  pins.set(...(stored === undefined ? [] : [stored]));
};
const pinned = (slot = '10.0.0.5_22') => {
  const stored = storedPins();
  return stored === undefined ? undefined : secretText(stored, slot);
};
const newStore = (link: Link = {}, operatorPins?: HeldObjects): HostKeyStore =>
  clusterHostKeys({
    client: api.client(link),
    nodes,
    pins: { objects: pins, key: pinKey },
    ...(operatorPins !== undefined && { operatorPins: { objects: operatorPins, key: mapKey } }),
  });

beforeEach(() => {
  api = new FakeApi();
  nodes = new HeldObjects(node('win-1', '10.0.0.5'));
  pins = new HeldObjects();
});

describe('own pins', () => {
  it('are made at first use, in a Secret that is made for them, and hold from then on', async () => {
    const store = newStore();
    expect(await store.check(host, key.wire)).toEqual({ accepted: true, pinned: true });
    expect(storedPins()).toMatchObject({
      kind: 'Secret',
      metadata: { ...pinKey, labels: { 'app.kubernetes.io/managed-by': 'mirrorgate' } },
    });
    expect(pinned()).toBe(`10.0.0.5 ${key.line}\n`);
    follow();
    expect(await store.check(host, key.wire)).toEqual({ accepted: true, pinned: false });
    expect(await newStore().check(host, key.wire)).toEqual({ accepted: true, pinned: false });
    expect(await store.knownKeyTypes(host)).toEqual(['ssh-ed25519']);
  });

  it('hold before the reflector has heard of them', async () => {
    const store = newStore();
    await store.check(host, key.wire);
    expect(await store.check(host, key.wire)).toEqual({ accepted: true, pinned: false });
    expect(await store.check(host, other.wire)).toMatchObject({ accepted: false, reason: 'changed' });
  });

  it('ask nobody while the key is the one on record, so that an outage of the API server stops nothing', async () => {
    await newStore().check(host, key.wire);
    follow();
    const offline = newStore({ before: () => Promise.reject(new ApiError('unreachable', 'refused')) });
    expect(await offline.check(host, key.wire)).toEqual({ accepted: true, pinned: false });
    expect(await offline.check(host, other.wire)).toMatchObject({ accepted: false, reason: 'changed' });
  });

  it('are apart for each port', async () => {
    const store = newStore();
    await store.check(host, key.wire);
    expect(await store.check({ ...host, port: 2222 }, other.wire)).toEqual({ accepted: true, pinned: true });
    expect(pinned('10.0.0.5_2222')).toBe(`[10.0.0.5]:2222 ${other.line}\n`);
  });

  it('refuse a changed key, also when the Node was deleted meanwhile, and give the command that takes the pin out', async () => {
    const store = newStore();
    await store.check(host, key.wire);
    follow();
    nodes.set();
    const verdict = await store.check({ ...host, name: 'win-9' }, other.wire);
    expect(verdict).toMatchObject({
      accepted: false,
      reason: 'changed',
      expected: [fingerprintOf(key.wire)],
      found: fingerprintOf(other.wire),
    });
    if (verdict.accepted) throw new Error('accepted');
    expect(verdict.hint).toContain(
      `kubectl -n mirrorgate patch secret mirrorgate-host-keys --type=json ` +
        `-p='[{"op":"remove","path":"/data/10.0.0.5_22"}]'`,
    );
    expect(pinned()).toBe(`10.0.0.5 ${key.line}\n`);
  });

  it('take a pin that an administrator has removed for removed at once', async () => {
    const store = newStore();
    await store.check(host, key.wire);
    await store.check({ ...host, address: '10.0.0.6' }, key.wire);
    follow();
    const { '10.0.0.5_22': removed, ...rest } = storedPins()!['data'] as Record<string, string>;
    expect(removed).toBeDefined();
    api.put(resources.secrets, { ...storedPins()!, data: rest });
    expect(await store.check(host, other.wire)).toEqual({ accepted: true, pinned: true });
    expect(pinned()).toBe(`10.0.0.5 ${other.line}\n`);
    expect(pinned('10.0.0.6_22')).toBe(`10.0.0.6 ${key.line}\n`);
  });

  it('of many nodes met at the same time are all kept, with few writes', async () => {
    const store = newStore();
    const hosts = Array.from({ length: 100 }, (_, index) => ({ ...host, address: `10.0.1.${index}` }));
    const verdicts = await Promise.all(hosts.map((each) => store.check(each, key.wire)));
    expect(verdicts.every((verdict) => verdict.accepted && verdict.pinned)).toBe(true);
    expect(api.count('create') + api.count('replace')).toBeLessThanOrEqual(2);
    const again = await Promise.all(hosts.map((each) => store.check(each, other.wire)));
    expect(again.filter(({ accepted }) => accepted)).toEqual([]);
  });

  it('trust the first of two keys that one host shows at the same time', async () => {
    const store = newStore();
    const [first, second] = await Promise.all([store.check(host, key.wire), store.check(host, other.wire)]);
    expect(first).toEqual({ accepted: true, pinned: true });
    expect(second).toMatchObject({ accepted: false, reason: 'changed' });
  });

  it('of two processes that write at the same time are all kept', async () => {
    const stores = [newStore(), newStore()];
    const hosts = Array.from({ length: 20 }, (_, index) => ({ ...host, address: `10.0.1.${index}` }));
    await Promise.all(hosts.map((each, index) => stores[index % 2]!.check(each, key.wire)));
    for (const each of hosts) expect(pinned(`${each.address}_22`)).toBe(`${each.address} ${key.line}\n`);
  });

  it('yield to the key that another process has pinned between reading and writing', async () => {
    await newStore().check({ ...host, address: '10.0.0.6' }, key.wire);
    const rival = newStore();
    let isFirst = true;
    const store = newStore({
      before: async (verb) => {
        if (verb !== 'replace' || !isFirst) return;
        isFirst = false;
        await rival.check(host, other.wire);
      },
    });
    expect(await store.check(host, key.wire)).toMatchObject({
      accepted: false,
      reason: 'changed',
      expected: [fingerprintOf(other.wire)],
    });
  });

  it('trust nobody new when others write all the time', async () => {
    await newStore().check({ ...host, address: '10.0.0.6' }, key.wire);
    const store = newStore({
      before: (verb) => {
        if (verb === 'replace') api.put(resources.secrets, { ...storedPins()! });
      },
    });
    await expect(store.check(host, key.wire)).rejects.toThrow(
      /win-1 cannot be pinned in Secret .*all the time/,
    );
  });

  it.each([
    ['read', 'get', new ApiError('unreachable', 'get Secret: the connection was refused')],
    ['written', 'create', new ApiError('forbidden', 'create Secret: secrets is forbidden')],
  ])('trust nobody new when the Secret cannot be %s, and say so', async (_, failing, error) => {
    const store = newStore({ before: (verb) => (verb === failing ? Promise.reject(error) : undefined) });
    await expect(store.check(host, key.wire)).rejects.toThrow(
      `the key of win-1 cannot be pinned in Secret mirrorgate/mirrorgate-host-keys: ${error.message}`,
    );
    expect(storedPins()).toBeUndefined();
    expect(await newStore().check(host, other.wire)).toEqual({ accepted: true, pinned: true });
  });

  it('count a key as pinned only when the write went through: an answer that was lost is read again', async () => {
    const store = newStore({
      after: (verb) => (verb === 'create' ? Promise.reject(new ApiError('unreachable', 'lost')) : undefined),
    });
    await expect(store.check(host, key.wire)).rejects.toThrow('lost');
    expect(await store.check(host, key.wire)).toEqual({ accepted: true, pinned: false });
  });

  it('trust nobody while the Secret or the Nodes are not known', async () => {
    pins = HeldObjects.unknown();
    await expect(newStore().check(host, key.wire)).rejects.toThrow(
      'the pins in Secret mirrorgate/mirrorgate-host-keys are not known yet',
    );
    await expect(newStore().knownKeyTypes(host)).rejects.toThrow('not known yet');
    pins = new HeldObjects();
    nodes = HeldObjects.unknown();
    await expect(newStore().check(host, key.wire)).rejects.toThrow('the Nodes, with the keys');
  });

  it('are written back when the Secret is deleted, and no changed key is trusted meanwhile', async () => {
    const store = newStore();
    await store.check(host, key.wire);
    follow();
    api.remove(resources.secrets, pinKey);
    follow();
    expect(await store.check(host, other.wire)).toMatchObject({ accepted: false, reason: 'changed' });
    expect(pinned()).toBe(`10.0.0.5 ${key.line}\n`);
  });

  it('are put into a Secret that was made anew, beside what it holds, by the next check of any host', async () => {
    const store = newStore();
    await store.check(host, key.wire);
    await store.check({ ...host, address: '10.0.0.6' }, key.wire);
    follow();
    api.remove(resources.secrets, pinKey);
    api.put(resources.secrets, secret(pinKey, { '10.0.0.6_22': `10.0.0.6 ${other.line}\n` }));
    follow();
    expect(await store.check(host, key.wire)).toEqual({ accepted: true, pinned: false });
    expect(pinned()).toBe(`10.0.0.5 ${key.line}\n`);
    // What the new one says of a host counts.
    expect(pinned('10.0.0.6_22')).toBe(`10.0.0.6 ${other.line}\n`);
    follow();
    const writes = api.count('replace');
    await store.check(host, key.wire);
    expect(api.count('replace')).toBe(writes);
  });

  it('go on with whom they know when a Secret that was deleted cannot be written back', async () => {
    await newStore().check(host, key.wire);
    follow();
    const store = newStore({
      before: (verb) => (verb === 'create' ? Promise.reject(new ApiError('forbidden', 'no')) : undefined),
    });
    api.remove(resources.secrets, pinKey);
    follow();
    expect(await store.check(host, key.wire)).toEqual({ accepted: true, pinned: false });
    await expect(store.check({ ...host, address: '10.0.0.6' }, key.wire)).rejects.toThrow('cannot be pinned');
  });

  it('keep what a person has put there, heed it, and name its line', async () => {
    const revoked = newKey();
    const known = `# by hand\n10.0.0.5 ${key.line}\n@revoked * ${revoked.line}\n`;
    api.put(resources.secrets, secret(pinKey, { known_hosts: known, note: 'ours' }));
    follow();
    const store = newStore();
    expect(await store.check(host, key.wire)).toEqual({ accepted: true, pinned: false });
    const changed = await store.check(host, other.wire);
    expect(changed).toMatchObject({
      reason: 'changed',
      hint: expect.stringContaining(
        'correct line 2 of "known_hosts" in Secret mirrorgate/mirrorgate-host-keys',
      ) as string,
    });
    expect(await store.check({ ...host, address: '10.0.0.6' }, revoked.wire)).toMatchObject({
      reason: 'revoked',
      hint: expect.stringContaining('line 3 of "known_hosts"') as string,
    });
    await store.check({ ...host, address: '10.0.0.7' }, key.wire);
    expect(pinned('known_hosts')).toBe(known);
    expect(pinned('note')).toBe('ours');
  });

  it('leave bytes that are no text as they are', async () => {
    const data = { blob: Buffer.from([0xff, 0x00, 0xfe]).toString('base64') };
    api.put(resources.secrets, { ...secret(pinKey, {}), data });
    follow();
    await newStore().check(host, key.wire);
    expect(storedPins()!['data']).toMatchObject(data);
  });

  it('take nothing for a key that could put more than a key into the Secret', async () => {
    const type = Buffer.from('x\n* ssh-ed25519 AAAA');
    const forged = Buffer.concat([Buffer.from([0, 0, 0, type.length]), type]);
    await expect(newStore().check(host, forged)).rejects.toThrow('no public key');
    expect(storedPins()).toBeUndefined();
  });
});

describe('pins of WMCO', () => {
  const b64 = (wire: Buffer) => wire.toString('base64');

  it.each([
    ['as WMCO writes it', b64(key.wire)],
    ['as a line of a .pub file', `${key.line} root@win-1`],
    ['as a line of known_hosts', `10.0.0.5 ${key.line}\n`],
  ])('on the Node count, %s, and nothing of our own is pinned', async (_, text) => {
    nodes.set(node('win-1', '10.0.0.5', { [annotation]: text }));
    const store = newStore();
    expect(await store.check(host, key.wire)).toEqual({ accepted: true, pinned: false });
    expect(await store.knownKeyTypes(host)).toEqual(['ssh-ed25519']);
    expect(storedPins()).toBeUndefined();
  });

  it('on the Node refuse another key, and the hint accepts it for WMCO too', async () => {
    nodes.set(node('win-1', '10.0.0.5', { [annotation]: b64(key.wire) }));
    const verdict = await newStore().check(host, other.wire);
    expect(verdict).toMatchObject({
      accepted: false,
      reason: 'changed',
      expected: [fingerprintOf(key.wire)],
      found: fingerprintOf(other.wire),
    });
    if (verdict.accepted) throw new Error('accepted');
    expect(verdict.hint).toContain('WMCO has pinned the other key');
    expect(verdict.hint).toContain(
      `kubectl annotate --overwrite node win-1 ${annotation}=${b64(other.wire)} ${annotation}-type=ssh-ed25519`,
    );
    expect(storedPins()).toBeUndefined();
  });

  it('count before our own: what WMCO accepts after a reinstallation is accepted', async () => {
    const store = newStore();
    await store.check(host, key.wire);
    follow();
    nodes.set(node('win-1', '10.0.0.5', { [annotation]: b64(other.wire) }));
    expect(await store.check(host, other.wire)).toEqual({ accepted: true, pinned: false });
    expect(await store.check(host, key.wire)).toMatchObject({ accepted: false, reason: 'changed' });
  });

  it('do not lift a revocation', async () => {
    api.put(resources.secrets, secret(pinKey, { known_hosts: `@revoked * ${key.line}\n` }));
    follow();
    nodes.set(node('win-1', '10.0.0.5', { [annotation]: b64(key.wire) }));
    expect(await newStore().check(host, key.wire)).toMatchObject({ accepted: false, reason: 'revoked' });
  });

  it('that cannot be read let nobody in', async () => {
    nodes.set(node('win-1', '10.0.0.5', { [annotation]: 'nonsense' }));
    await expect(newStore().check(host, key.wire)).rejects.toThrow(
      `annotation ${annotation} of Node win-1 is no public key`,
    );
    await expect(newStore().knownKeyTypes(host)).rejects.toThrow('is no public key');
  });

  describe('in ConfigMap windows-ssh-host-keys', () => {
    const instance = { name: '10.0.0.7', address: '10.0.0.7', port: 22 };
    const map = (data: Record<string, string>) => new HeldObjects({ metadata: mapKey, data });

    it('count before the Node is there', async () => {
      const store = newStore({}, map({ '10.0.0.7': b64(key.wire) }));
      expect(await store.check(instance, key.wire)).toEqual({ accepted: true, pinned: false });
      const verdict = await store.check(instance, other.wire);
      if (verdict.accepted) throw new Error('accepted');
      expect(verdict.hint).toContain(
        `kubectl -n wmco patch configmap windows-ssh-host-keys --type=merge ` +
          `-p='{"data":{"10.0.0.7":"${b64(other.wire)}"}}'`,
      );
    });

    it('count by any address of the Node, until WMCO has written to the Node', async () => {
      const store = newStore({}, map({ 'WIN-1': b64(key.wire) }));
      expect(await store.check(host, other.wire)).toMatchObject({ accepted: false });
      nodes.set(node('win-1', '10.0.0.5', { [annotation]: b64(other.wire) }));
      expect(await store.check(host, other.wire)).toEqual({ accepted: true, pinned: false });
    });

    it('say nothing about others: these are pinned by us', async () => {
      const store = newStore({}, map({ '10.0.0.7': b64(key.wire) }));
      expect(await store.check(host, other.wire)).toEqual({ accepted: true, pinned: true });
      expect(await newStore({}, new HeldObjects()).check(instance, other.wire)).toMatchObject({
        pinned: true,
      });
    });

    it('must be known before anybody is trusted', async () => {
      await expect(newStore({}, HeldObjects.unknown()).check(host, key.wire)).rejects.toThrow(
        'ConfigMap wmco/windows-ssh-host-keys is not known yet',
      );
    });
  });

  it('of the Node that has an address count for the instance of that address', async () => {
    nodes.set(node('win-7', '10.0.0.7', { [annotation]: b64(key.wire) }));
    const instance = { name: '10.0.0.7', address: '10.0.0.7', port: 22 };
    expect(await newStore().check(instance, other.wire)).toMatchObject({
      accepted: false,
      reason: 'changed',
    });
  });
});
