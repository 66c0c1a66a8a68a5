import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { reportFigures } from '../conformance/report-figures.js';
import type { KubeClient } from '../../src/cluster/kube-client.js';
import { resources } from '../../src/cluster/kube-object.js';
import { LeaderElector, type LeaderElectorOptions } from '../../src/cluster/leader-election.js';
import { startFaultyProxy, type FaultyProxy } from './faulty-proxy.js';
import { startKubeSite, type KubeSite } from './kube-site.js';

/** What is promised. */
const takeoverMs = 20_000;
/** For a machine of two cores on which another cluster runs at the same time. */
const slackMs = 5_000;

const { leases } = resources;
const key = { namespace: 'mirrorgate', name: 'mirrorgate' };
const patience = { timeout: 60_000, interval: 20 };

interface Replica {
  readonly elector: LeaderElector;
  readonly proxy: FaultyProxy;
  readonly log: string[];
}

let site: KubeSite;
let admin: KubeClient;
let replicas: Replica[];
let mostHolders: number;
let watchHolders: NodeJS.Timeout;

beforeAll(async () => {
  site = await startKubeSite();
  admin = await site.client();
});
afterAll(() => site.stop());
beforeEach(async () => {
  replicas = [];
  mostHolders = 0;
  watchHolders = setInterval(() => {
    mostHolders = Math.max(mostHolders, replicas.filter(({ elector }) => elector.holds()).length);
  }, 5);
  await admin.remove(leases, key);
  // Free at once: what a Lease that is made takes longer for is another matter.
  await admin.create(leases, {
    apiVersion: leases.apiVersion,
    kind: leases.kind,
    metadata: key,
    spec: { holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 0 },
  });
});
afterEach(async () => {
  for (const { elector, proxy } of replicas) {
    await elector.stop();
    await proxy.stop();
  }
  clearInterval(watchHolders);
  expect(mostHolders).toBe(1);
});

/** A replica with a way of its own to the API server. */
async function run(identity: string, options: Partial<LeaderElectorOptions> = {}): Promise<Replica> {
  const proxy = await startFaultyProxy({ port: site.apiPort });
  const server = `https://127.0.0.1:${proxy.port}`;
  const client = await site.client(await site.kubeconfigFor('admin', { server }));
  const log: string[] = [];
  const elector = new LeaderElector({
    client,
    lease: key,
    identity,
    onAcquired: () => log.push('acquired'),
    onLost: (why) => log.push(`lost: ${why}`),
    ...options,
  });
  const replica = { elector, proxy, log };
  replicas.push(replica);
  elector.start();
  return replica;
}

function holds({ elector }: Replica): Promise<void> {
  return vi.waitFor(() => {
    expect(elector.holds()).toBe(true);
  }, patience);
}

async function leaderOf(all: readonly Replica[]): Promise<[Replica, Replica]> {
  await vi.waitFor(() => {
    expect(all.filter(({ elector }) => elector.holds())).toHaveLength(1);
  }, patience);
  const leader = all.find(({ elector }) => elector.holds());
  const other = all.find((replica) => replica !== leader);
  if (leader === undefined || other === undefined) throw new Error('the leader is gone already');
  return [leader, other];
}

test('of five that start at once one leads, and all know which', async () => {
  const all = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => run(name)));
  await leaderOf(all);
  await vi.waitFor(() => {
    expect(new Set(all.map(({ elector }) => elector.holder())).size).toBe(1);
    expect(all[0]?.elector.holder()).toBeDefined();
  }, patience);
  expect(all.flatMap(({ log }) => log)).toEqual(['acquired']);
  const lease = await admin.get(leases, key);
  expect(lease?.['spec']).toMatchObject({
    leaseDurationSeconds: 15,
    leaseTransitions: 1,
    acquireTime: expect.stringMatching(/\.\d{6}Z$/) as string,
    renewTime: expect.stringMatching(/\.\d{6}Z$/) as string,
  });
});

test('a leader that vanishes is followed within 20 s, after it must know that it has lost', async () => {
  const all = [await run('a'), await run('b')];
  const [leader, other] = await leaderOf(all);
  const vanished = performance.now();
  leader.proxy.stall();
  await holds(other);
  const took = performance.now() - vanished;
  reportFigures('takeover after a leader that vanished', { seconds: (took / 1000).toFixed(1) });
  expect(took).toBeLessThan(takeoverMs + slackMs);
  expect(leader.log).toEqual(['acquired', expect.stringContaining('could not be renewed within 10 s')]);

  leader.proxy.cut();
  leader.proxy.resume();
  await vi.waitFor(() => {
    expect(leader.elector.holder()).toBe(other.elector.holder());
  }, patience);
  expect(leader.elector.holds()).toBe(false);
});

test('a leader that stops hands over at its next look', async () => {
  const all = [await run('a'), await run('b')];
  const [leader, other] = await leaderOf(all);
  await leader.elector.stop();
  const stopped = performance.now();
  await holds(other);
  // A look every 2 to 2.4 s, and the requests.
  expect(performance.now() - stopped).toBeLessThan(4_000);
  expect(leader.log).toEqual(['acquired', 'lost: mirrorgate stops']);
});

test('a Lease that is deleted under its holder has never two of them', async () => {
  const all = [await run('a'), await run('b')];
  const identities = new Map(all.map((replica, index) => [replica, ['a', 'b'][index]]));
  await leaderOf(all);
  await admin.remove(leases, key);
  // Whoever makes it again has it in the end: its holder at once, another one once the holder must have given up.
  await vi.waitFor(async () => {
    const { holderIdentity } = ((await admin.get(leases, key))?.['spec'] ?? {}) as {
      holderIdentity?: string;
    };
    expect(holderIdentity).toBeDefined();
    const holding = all.filter(({ elector }) => elector.holds());
    expect(holding).toHaveLength(1);
    expect(all.map(({ elector }) => elector.holder())).toEqual([holderIdentity, holderIdentity]);
    expect(identities.get(holding[0]!)).toBe(holderIdentity);
  }, patience);
});

test('an API server that goes and comes back leaves one leader', async () => {
  const faults: (string | undefined)[] = [];
  const all = [await run('a', { onFault: (fault) => faults.push(fault?.code) }), await run('b')];
  await leaderOf(all);
  await site.stopApiServer();
  await vi.waitFor(() => {
    expect(all.some(({ elector }) => elector.holds())).toBe(false);
  }, patience);
  await site.startApiServer();
  await leaderOf(all);
  await vi.waitFor(() => {
    expect(faults.at(-1)).toBeUndefined();
  }, patience);
  expect(faults[0]).toBe('unreachable');
});
