import { describe, expect, it } from 'vitest';
import { clusterNodes } from '../../../src/cluster/cluster-nodes.js';
import type { KubeObject } from '../../../src/cluster/kube-object.js';
import { rememberingKeyReader } from '../../../src/distribution/private-key.js';
import { generateSshKeyPair } from '../../../src/sandbox/ssh-key-pair.js';
import { countChanges, HeldObjects, secret } from './held-objects.js';

const keyName = { namespace: 'wmco', name: 'cloud-private-key' };
const mapName = { namespace: 'wmco', name: 'windows-instances' };
const { privateKey } = generateSshKeyPair();

let version = 1;
const node = (index: number, annotations: Record<string, string> = {}): KubeObject => ({
  metadata: { name: `win-${index}`, annotations, resourceVersion: String((version += 1)) },
  status: {
    addresses: [{ type: 'InternalIP', address: `10.0.${Math.floor(index / 250)}.${(index % 250) + 1}` }],
    conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: String(version) }],
  },
});
const infrastructure = (type: string): KubeObject => ({
  metadata: { name: 'cluster' },
  status: { platformStatus: { type } },
});

function setUp(known = true) {
  const make = (...objects: KubeObject[]) => (known ? new HeldObjects(...objects) : HeldObjects.unknown());
  const objects = {
    nodes: make(node(1)),
    instances: make(),
    infrastructures: make(),
    secrets: make(secret(keyName, { 'private-key.pem': privateKey })),
  };
  const source = clusterNodes({
    nodes: objects.nodes,
    instances: { objects: objects.instances, key: mapName },
    infrastructures: objects.infrastructures,
    sshKey: { objects: objects.secrets, key: keyName },
    readKey: rememberingKeyReader(),
  });
  return { ...objects, source, changes: countChanges(source) };
}

describe('clusterNodes', () => {
  it('is unknown until Nodes, instances, platform and key are known', () => {
    const { nodes, instances, infrastructures, secrets, source, changes } = setUp(false);
    nodes.set(node(1));
    infrastructures.set(infrastructure('Azure'));
    secrets.set(secret(keyName, { 'private-key.pem': privateKey }));
    expect(source.current()).toBeUndefined();
    expect(source.problems()).toEqual([]);
    expect(source.paused()).toEqual(new Set());
    expect(changes()).toBe(0);
    instances.set();
    expect(source.current()).toMatchObject([
      { name: 'win-1', address: '10.0.0.2', username: 'capi', privateKey },
    ]);
    expect(changes()).toBe(1);
  });

  it('does without instances where none are looked at', () => {
    const source = clusterNodes({
      nodes: new HeldObjects(node(1)),
      infrastructures: new HeldObjects(),
      sshKey: { objects: new HeldObjects(secret(keyName, { 'private-key.pem': privateKey })), key: keyName },
      readKey: rememberingKeyReader(),
    });
    expect(source.current()).toMatchObject([{ name: 'win-1', username: 'Administrator' }]);
  });

  it('is not woken by the heartbeats of 1,000 nodes, and stays the same value', () => {
    const { nodes, source, changes } = setUp();
    nodes.set(...Array.from({ length: 1000 }, (_, index) => node(index)));
    expect(source.current()).toHaveLength(1000);
    expect(source.problems()).toEqual([]);
    const before = source.current();
    for (let beat = 0; beat < 5; beat += 1) {
      nodes.set(...Array.from({ length: 1000 }, (_, index) => node(index)));
    }
    expect(source.current()).toBe(before);
    expect(changes()).toBe(1);
  });

  it('calls back when targets, paused nodes or problems change', () => {
    const { nodes, source, changes } = setUp();
    nodes.set(node(1), node(2));
    expect(changes()).toBe(1);
    nodes.set(node(1, { 'mirrorgate.dev/paused': 'true' }), node(2));
    expect(changes()).toBe(2);
    expect(source.paused()).toEqual(new Set(['win-1']));
    nodes.set(node(1, { 'mirrorgate.dev/ssh-port': 'x' }), node(2));
    expect(changes()).toBe(3);
    nodes.set(node(1, { 'mirrorgate.dev/ssh-port': 'y' }), node(2));
    expect(changes()).toBe(4);
    expect(source.problems()[0]?.message).toContain('"y"');
    expect(source.current()).toMatchObject([{ name: 'win-2' }]);
  });

  it('takes a rotated key, and an instance that gets its Node', () => {
    const { nodes, instances, secrets, source } = setUp();
    const rotated = generateSshKeyPair().privateKey;
    secrets.set(secret(keyName, { 'private-key.pem': rotated }));
    expect(source.current()).toMatchObject([{ name: 'win-1', privateKey: rotated }]);
    instances.set({ metadata: mapName, data: { '10.0.0.3': 'username=me' } });
    expect(source.current()).toMatchObject([{ name: '10.0.0.3', username: 'me' }, { name: 'win-1' }]);
    nodes.set(node(1), node(2));
    expect(source.current()).toMatchObject([{ name: 'win-1' }, { name: 'win-2', username: 'me' }]);
  });

  it('has a problem per node while the key is not there, and targets again when it is', () => {
    const { secrets, source } = setUp();
    secrets.set();
    expect(source.current()).toEqual([]);
    expect(source.problems()).toMatchObject([{ node: 'win-1', reason: 'SSHKeyMissing' }]);
    secrets.set(secret(keyName, { 'private-key.pem': 'not a key' }));
    expect(source.problems()).toMatchObject([{ node: 'win-1', reason: 'SSHKeyInvalid' }]);
    expect(JSON.stringify(source.problems())).not.toContain('not a key"');
    secrets.set(secret(keyName, { 'private-key.pem': privateKey }));
    expect(source.current()).toHaveLength(1);
    expect(source.problems()).toEqual([]);
  });
});
