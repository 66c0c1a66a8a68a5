import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { EventRecorder, type EventToRecord } from '../../src/cluster/event-recorder.js';
import type { KubeClient } from '../../src/cluster/kube-client.js';
import { resources, type ApiResource, type KubeObject } from '../../src/cluster/kube-object.js';
import { conditionOf, revisionOf } from '../../src/cluster/node-condition.js';
import { NodeStatusWriter, type NodeStanding } from '../../src/cluster/node-status-writer.js';
import { Reflector } from '../../src/cluster/reflector.js';
import { systemClock } from '../../src/distribution/clock.js';
import { startKubeSite, type KubeSite } from './kube-site.js';

const { imageTagMirrorSets, nodes } = resources;
const patience = { timeout: 60_000, interval: 50 };
const rbac = join(import.meta.dirname, '../../manifests/base/rbac.yaml');
const windows = { 'kubernetes.io/os': 'windows' };

let site: KubeSite;
/** With the administrator's rights. */
let admin: KubeClient;
/** With the rights that the manifests give to mirrorgate, and no others. */
let client: KubeClient;
const running: { stop(): Promise<void> }[] = [];
const faults: (string | undefined)[] = [];

beforeAll(async () => {
  site = await startKubeSite();
  await site.installCrds('mirror-sets');
  await site.kubectl(['apply', '-f', rbac]);
  admin = await site.client();
  client = await site.client(await site.kubeconfigFor('mirrorgate'));
});
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.stop();
  expect(faults.splice(0)).toEqual([]);
});
afterAll(async () => {
  await site.stop();
});

async function reflect(resource: ApiResource, labelSelector: string): Promise<Reflector> {
  const reflector = new Reflector({
    client,
    resource,
    scope: { labelSelector },
    timings: { backoff: { shortest: 100, longest: 500 } },
  });
  running.push(reflector);
  reflector.start();
  await reflector.whenSynced();
  return reflector;
}

const onFault = (fault: { readonly message: string } | undefined) => faults.push(fault?.message);

describe('the condition and the annotation of a Node', () => {
  const standing = (status: 'True' | 'False', revision: string): NodeStanding => ({
    condition:
      status === 'True'
        ? { status, reason: 'Synced', message: `holds revision ${revision}` }
        : { status, reason: 'RevisionPending', message: `revision ${revision} is wanted` },
    revision: status === 'True' ? revision : undefined,
  });

  async function startWriter(): Promise<NodeStatusWriter> {
    const writer = new NodeStatusWriter({
      client,
      nodes: await reflect(nodes, 'kubernetes.io/os=windows'),
      now: () => new Date(),
      clock: systemClock,
      onFault,
    });
    running.push(writer);
    return writer;
  }

  async function makeNode(name: string): Promise<void> {
    await admin.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name, labels: windows } });
  }

  async function nodeOf(name: string): Promise<KubeObject> {
    const node = await admin.get(nodes, { name });
    return node ?? expect.fail(`${name} is not there`);
  }

  const wait = (name: string, timeout: string) =>
    site.kubectl(['wait', '--for=condition=MirrorConfigSynced', `node/${name}`, `--timeout=${timeout}`], {
      // Either way is looked at.
      expectFailure: timeout === '2s',
    });

  test('come in one patch, with no more than the right to patch the status of Nodes', async () => {
    await makeNode('win-patch');
    const seen: (readonly [status: string | undefined, revision: string | undefined])[] = [];
    const writer = await startWriter();
    const watcher = await reflect(nodes, 'kubernetes.io/os=windows');
    watcher.onChange(() => {
      const node = watcher.current()?.get('win-patch');
      if (node !== undefined) seen.push([conditionOf(node)?.status, revisionOf(node)]);
    });
    writer.set('win-patch', standing('True', 'r1'));
    await writer.settled();
    await vi.waitFor(() => {
      expect(seen).toEqual([['True', 'r1']]);
    }, patience);
    expect(conditionOf(await nodeOf('win-patch'))?.since).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  test('are not written again where they say the same, by another leader either', async () => {
    await makeNode('win-same');
    const writer = await startWriter();
    writer.set('win-same', standing('True', 'r1'));
    await writer.settled();
    const { resourceVersion } = (await nodeOf('win-same')).metadata;
    writer.set('win-same', standing('True', 'r1'));
    await writer.settled();
    const next = await startWriter();
    next.set('win-same', standing('True', 'r1'));
    await next.settled();
    expect((await nodeOf('win-same')).metadata.resourceVersion).toBe(resourceVersion);
  });

  test('leave what others write to the status as it is', async () => {
    await makeNode('win-kubelet');
    const ready = (status: string) =>
      site.kubectl([
        'patch',
        'node',
        'win-kubelet',
        '--subresource=status',
        '--type=strategic',
        '-p',
        JSON.stringify({ status: { conditions: [{ type: 'Ready', status, reason: 'Kubelet' }] } }),
      ]);
    const writer = await startWriter();
    await ready('False');
    writer.set('win-kubelet', standing('False', 'r1'));
    await writer.settled();
    await ready('True');
    writer.set('win-kubelet', standing('True', 'r1'));
    await writer.settled();
    const { conditions } = (await nodeOf('win-kubelet'))['status'] as {
      conditions: readonly { type: string; status: string }[];
    };
    expect(conditions.map(({ type, status }) => `${type} ${status}`).sort()).toEqual([
      'MirrorConfigSynced True',
      'Ready True',
    ]);
  });

  test('kubectl wait returns when it is True, and not while a newer revision is pending', async () => {
    await makeNode('win-wait');
    const writer = await startWriter();
    writer.set('win-wait', standing('True', 'r1'));
    await writer.settled();
    expect((await wait('win-wait', '60s')).stdout).toContain('condition met');

    writer.set('win-wait', standing('False', 'r2'));
    await writer.urgent(['win-wait']);
    expect((await wait('win-wait', '2s')).stderr).toContain('timed out');
    let isMet = false;
    const met = wait('win-wait', '60s').then(() => (isMet = true));
    await wait('win-wait', '2s');
    expect(isMet).toBe(false);
    writer.set('win-wait', standing('True', 'r2'));
    await met;
    expect(revisionOf(await nodeOf('win-wait'))).toBe('r2');
  });

  test('turn False on many Nodes before `urgent` resolves', async () => {
    const names = Array.from({ length: 40 }, (_, at) => `win-many-${at}`);
    await Promise.all(names.map(makeNode));
    const writer = await startWriter();
    for (const name of names) writer.set(name, standing('False', 'r1'));
    await writer.urgent(names);
    const { items } = await admin.list(nodes);
    const many = items.filter(({ metadata }) => metadata.name.startsWith('win-many-'));
    const late = many.filter((node) => conditionOf(node)?.status !== 'False');
    expect(late.map(({ metadata }) => metadata.name)).toEqual([]);
    await Promise.all(names.map((name) => admin.remove(nodes, { name })));
  });

  test('are put right when somebody changes them', async () => {
    await makeNode('win-meddled');
    const writer = await startWriter();
    writer.set('win-meddled', standing('True', 'r1'));
    await writer.settled();
    await site.kubectl(['annotate', '--overwrite', 'node', 'win-meddled', 'mirrorgate.dev/revision=forged']);
    await vi.waitFor(async () => {
      expect(revisionOf(await nodeOf('win-meddled'))).toBe('r1');
    }, patience);
  });

  test('are nobody’s business any more when the Node is gone', async () => {
    await makeNode('win-gone');
    const writer = await startWriter();
    writer.set('win-gone', standing('False', 'r1'));
    await writer.settled();
    await admin.remove(nodes, { name: 'win-gone' });
    writer.set('win-gone', standing('True', 'r1'));
    await writer.settled();
    expect(await admin.get(nodes, { name: 'win-gone' })).toBeUndefined();
  });
});

describe('Events', () => {
  function startRecorder(): EventRecorder {
    const recorder = new EventRecorder({
      client,
      identity: 'mirrorgate-0',
      clock: systemClock,
      random: Math.random,
      onDropped: (count) => faults.push(`${count} dropped`),
      onFault,
    });
    running.push(recorder);
    return recorder;
  }
  const unreachable = (name: string): EventToRecord => ({
    regarding: { apiVersion: 'v1', kind: 'Node', name },
    type: 'Warning',
    reason: 'Unreachable',
    action: 'Sync',
    note: '10.0.0.1:22 refused the connection',
  });
  const eventsOf = async (name: string) =>
    (await admin.list(resources.events, { namespace: 'default' })).items.filter(
      ({ involvedObject }) => (involvedObject as { readonly name: string }).name === name,
    );

  test('show in kubectl describe node and kubectl get events', async () => {
    await admin.create(nodes, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'win-told', labels: windows },
    });
    const recorder = startRecorder();
    recorder.record(unreachable('win-told'));
    await recorder.stop();
    const described = await site.kubectl(['describe', 'node', 'win-told']);
    expect(described.stdout).toMatch(
      /Warning +Unreachable +\S+ +mirrorgate.* 10\.0\.0\.1:22 refused the connection/,
    );
    const got = await site.kubectl(['get', 'events', '-n', 'default']);
    expect(got.stdout).toMatch(/Warning +Unreachable +node\/win-told +10\.0\.0\.1:22 refused the connection/);
  });

  test('on a mirror set show in kubectl describe of that set, and not of its namesake after it', async () => {
    const make = () =>
      admin.create(imageTagMirrorSets, {
        apiVersion: imageTagMirrorSets.apiVersion,
        kind: imageTagMirrorSets.kind,
        metadata: { name: 'told' },
        spec: { imageTagMirrors: [] },
      });
    const { apiVersion = '', kind = '', metadata } = await make();
    const recorder = startRecorder();
    recorder.record({
      ...unreachable(''),
      regarding: { apiVersion, kind, name: metadata.name, uid: metadata.uid },
      reason: 'PolicyViolation',
      note: 'windows-mirror-path: wrong',
    });
    await recorder.stop();
    const describeSet = async () => (await site.kubectl(['describe', 'imagetagmirrorset', 'told'])).stdout;
    expect(await describeSet()).toMatch(/Warning +PolicyViolation .*windows-mirror-path: wrong/);
    await admin.remove(imageTagMirrorSets, { name: 'told' });
    await make();
    expect(await describeSet()).not.toContain('PolicyViolation');
    await admin.remove(imageTagMirrorSets, { name: 'told' });
  });

  test('that are the same are one with a count, which kubectl shows', async () => {
    const name = 'win-again';
    await admin.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name, labels: windows } });
    const recorder = startRecorder();
    recorder.record(unreachable(name));
    await vi.waitFor(async () => {
      expect(await eventsOf(name)).toHaveLength(1);
    }, patience);
    recorder.record(unreachable(name));
    recorder.record(unreachable(name));
    await recorder.stop();
    const events = await eventsOf(name);
    expect(events).toHaveLength(1);
    expect(events[0]!['count']).toBe(3);
    expect((await site.kubectl(['describe', 'node', name])).stdout).toMatch(
      /Unreachable +\S+ \(x3 over \S+\)/,
    );
    const wide = await site.kubectl(['get', 'events', '-n', 'default', '-o', 'wide']);
    expect(wide.stdout.split('\n').find((line) => line.includes(`node/${name}`))).toMatch(/ 3 +win-again\./);
  });

  test('that happened several times before they could be written come with their count at once', async () => {
    const recorder = startRecorder();
    recorder.record(unreachable('win-burst'));
    recorder.record(unreachable('win-burst'));
    await recorder.stop();
    const events = await eventsOf('win-burst');
    expect(events.map(({ count }) => count)).toEqual([2]);
  });

  test('are taken at the limits of the API: the longest note and name', async () => {
    const name = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;
    const recorder = startRecorder();
    recorder.record({ ...unreachable(name), note: 'ñ€😀'.repeat(400), action: 'A'.repeat(200) });
    await recorder.stop();
    const [event] = await eventsOf(name);
    expect(event!['message']).toMatch(/…$/);
  });
});
