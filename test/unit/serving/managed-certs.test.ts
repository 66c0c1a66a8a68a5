import { X509Certificate } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { certDataOf, parseCertData } from '../../../src/serving/cert-data.js';
import { firstState } from '../../../src/serving/cert-renewal.js';
import type { CertState } from '../../../src/serving/cert-state.js';
import { ManagedCerts } from '../../../src/serving/managed-certs.js';
import { readBundle } from '../../../src/serving/pem-bundle.js';
import { CertWorld, host, lives, propagationMs, type Replica } from './cert-world.js';
import { ManualClock } from './manual-clock.js';
import { MemoryBundleTarget } from './memory-bundle-target.js';
import { MemoryCertStore } from './memory-cert-store.js';
import { refusal } from './verify-leaf.js';

const second = 1000;
const minute = 60 * second;
const rules = { hosts: [host], lives, propagationMs };

/** Key generation on a busy machine. */
vi.setConfig({ testTimeout: 60_000 });

function stored(world: CertWorld): CertState {
  const parsed = parseCertData(world.store.content?.data ?? {});
  if (parsed.kind !== 'sound') throw new Error(`the store is ${parsed.kind}`);
  return parsed.state;
}

/** Two replicas that have certificates, the first one leading; nothing before counts. */
async function running(options: { readonly lagMs?: number } = {}): Promise<{
  world: CertWorld;
  leader: Replica;
  follower: Replica;
}> {
  const world = new CertWorld();
  world.leader = 'one';
  const leader = world.start('one');
  const follower = world.start('two', options);
  await world.settle();
  await world.pass(2 * minute);
  world.refusals.length = 0;
  return { world, leader, follower };
}

describe('at the first start', () => {
  it('two replicas that begin at the same moment agree on one authority, without a leader', async () => {
    const world = new CertWorld();
    const one = world.start('one');
    const two = world.start('two');
    await world.settle();

    expect(world.store.saves).toBe(1);
    const { leaf, ca } = stored(world);
    expect(one.certs.current()).toMatchObject(leaf);
    expect(two.certs.current()).toMatchObject(leaf);
    expect([...one.told.renewed, ...two.told.renewed]).toEqual(['authority']);
    expect(world.target.injections).toBe(0);
    expect(two.certs.readiness()).toEqual({
      ok: false,
      detail: 'the caBundle of ValidatingWebhookConfiguration test does not hold the authority yet',
    });

    await world.elect('two');
    expect(world.target.bundle).toBe(ca.cert);
    expect(two.told.injected).toEqual(['ValidatingWebhookConfiguration test']);
    expect(one.certs.readiness()).toEqual({ ok: true, detail: 'valid until 2031-05-06' });
    expect([...one.told.faults, ...two.told.faults]).toEqual([]);
  });

  it('agrees too when each learns late of what the other has done', async () => {
    const world = new CertWorld();
    const replicas = [1, 2, 3].map((n) => world.start(String(n), { lagMs: n * second }));
    await world.pass(minute);
    expect(world.store.saves).toBe(1);
    for (const { certs } of replicas) expect(certs.current()).toMatchObject(stored(world).leaf);
  });

  it('fills a Secret that lies there empty', async () => {
    const world = new CertWorld();
    world.store.put({ 'tls.crt': '', 'tls.key': '', other: 'x' });
    const { certs, told } = world.start('one');
    await world.settle();
    expect(certs.current()).toMatchObject(stored(world).leaf);
    expect(told.restored).toEqual([]);
  });

  it('resolves the first pair when there is one, and tells later listeners at once', async () => {
    const world = new CertWorld();
    const { certs } = world.start('one');
    expect(certs.current()).toBeUndefined();
    expect(certs.readiness()).toEqual({ ok: false, detail: 'waiting for certificates in Secret test/tls' });
    const pair = await certs.firstPair();
    const heard: unknown[] = [];
    certs.onPair((each) => heard.push(each));
    expect(heard).toEqual([pair]);
    expect(certs.expires()).toEqual(new Date('2031-05-06T07:38:09Z'));
  });

  it('writes every webhook of the configuration', async () => {
    const world = new CertWorld(new MemoryBundleTarget({ kind: 'present', bundles: ['', 'x', ''] }));
    world.leader = 'one';
    world.start('one');
    await world.settle();
    const { cert } = stored(world).ca;
    expect(world.target.injected).toEqual({ kind: 'present', bundles: [cert, cert, cert] });
  });
});

describe('a replica that finds nothing usable', () => {
  it('leaves it to the leader when clients trust something already, which stays trusted', async () => {
    const before = await firstState(new CertWorld().clock.now(), rules);
    const world = new CertWorld(new MemoryBundleTarget({ kind: 'present', bundles: [before.ca.cert] }));
    const { certs } = world.start('one');
    await world.pass(minute);
    expect(world.store.content).toBeNull();
    expect(certs.current()).toBeUndefined();

    await world.elect('one');
    const state = stored(world);
    expect(certs.current()).toMatchObject(state.leaf);
    expect(readBundle(world.target.bundle).certs).toEqual([state.ca.cert, before.ca.cert]);
    expect(refusal(before.leaf.cert, world.target.bundle, world.clock.now())).toBeUndefined();
  });

  it('says why it waits, and as the leader makes a new authority beside the one that can still be read', async () => {
    const world = new CertWorld();
    const before = await firstState(world.clock.now(), rules);
    world.store.put({ ...certDataOf(before), 'ca.key': '' });
    const { certs, told } = world.start('one');
    await world.settle();
    expect(certs.current()).toBeUndefined();
    expect(told.faults.map(({ code, message }) => [code, message])).toEqual([
      ['CERT_STORE_UNUSABLE', 'Secret test/tls cannot be used: ca.key is missing'],
    ]);

    await world.elect('one');
    expect(told.restored).toEqual(['Secret test/tls: ca.key is missing']);
    expect(readBundle(world.target.bundle).certs).toEqual([stored(world).ca.cert, before.ca.cert]);
    expect(told.faults).toHaveLength(1);
  });

  it('renews expired certificates at once when it leads', async () => {
    const world = new CertWorld();
    const before = await firstState(Date.parse('2031-01-01T00:00:00Z'), rules);
    world.store.put(certDataOf(before));
    const { certs, told } = world.start('one');
    await world.settle();
    expect(told.faults.map(({ code, message }) => [code, message])).toEqual([
      ['CERT_EXPIRED', 'the certificate in Secret test/tls expired on 2031-01-01'],
    ]);
    expect(certs.readiness()).toEqual({ ok: false, detail: 'the certificate expired on 2031-01-01' });

    await world.elect('one');
    expect(told.renewed).toEqual(['authority']);
    expect(refusal(certs.current()!.cert, world.target.bundle, world.clock.now(), host)).toBeUndefined();
  });
});

describe('over time', () => {
  it.each([0, 5 * second, 59 * second])(
    'turns over leaves and authorities, and no client ever refuses a replica that learns of it %d ms late',
    async (lagMs) => {
      const { world, leader, follower } = await running({ lagMs });
      for (let n = 0; n < 18; n += 1) await world.pass(lives.ca / 6);
      expect(world.refusals).toEqual([]);
      // Two thirds of 120 minutes and of 30 minutes.
      expect(world.authorities.size).toBeGreaterThanOrEqual(5);
      expect(leader.served.length).toBeGreaterThanOrEqual(18);
      expect(follower.served).toEqual(leader.served.slice(0, follower.served.length));
      expect(leader.served.length - follower.served.length).toBeLessThanOrEqual(1);
      expect([...leader.told.faults, ...follower.told.faults]).toEqual([]);
      expect(leader.told.repaired).toEqual([]);
      expect(follower.told.renewed.filter((what) => what !== 'authority')).toEqual([]);
      expect(follower.told.injected).toEqual([]);
    },
  );

  it('waits out the whole propagation anew when another replica takes the lead meanwhile', async () => {
    const { world, follower } = await running();
    await world.passUntil(() => stored(world).next !== undefined);
    const { ca, next } = stored(world);
    await world.pass(propagationMs - 5 * second);
    await world.kill('one');
    // It was not there when the bundle was written.
    const newcomer = world.start('three');
    await world.elect('three');
    await world.pass(propagationMs - second);
    expect(stored(world).ca).toEqual(ca);
    await world.pass(2 * second);
    expect(stored(world).ca).toEqual(next);
    expect(newcomer.told.renewed).toEqual(['authority']);
    expect(follower.certs.current()).toMatchObject(stored(world).leaf);
    expect(world.refusals).toEqual([]);
  });

  it('begins the propagation anew when somebody has changed the bundle meanwhile', async () => {
    const { world } = await running();
    await world.passUntil(() => stored(world).next !== undefined);
    const { ca } = stored(world);
    await world.pass(propagationMs - 5 * second);
    world.target.put({ kind: 'present', bundles: [ca.cert] });
    await world.pass(propagationMs - second);
    expect(stored(world).ca).toEqual(ca);
    await world.pass(2 * second);
    expect(stored(world).ca).not.toEqual(ca);
  });

  it('renews the leaf under the same authority when it is to be for more hosts', async () => {
    const { world, follower } = await running();
    await world.kill('one');
    const { ca } = stored(world);
    const other = world.start('three', { hosts: [host, 'other.test.svc'] });
    await world.elect('three');
    expect(stored(world).ca).toEqual(ca);
    expect(other.told.renewed).toEqual(['certificate']);
    expect(new X509Certificate(follower.certs.current()!.cert).checkHost('other.test.svc')).toBeDefined();
    expect(world.refusals).toEqual([]);
  });

  it('does nothing without a leader', async () => {
    const { world } = await running();
    world.leader = undefined;
    const { content } = world.store;
    await world.pass(lives.leaf);
    expect(world.store.content).toBe(content);
  });

  it('goes on with one state when two replicas believe that they lead', async () => {
    const world = new CertWorld();
    const one = world.start('one', { isLeader: () => true, lagMs: second });
    const two = world.start('two', { isLeader: () => true, lagMs: 2 * second });
    await world.pass(2 * minute);
    world.refusals.length = 0;
    await world.pass(2 * lives.ca);
    expect(one.certs.current()).toMatchObject(stored(world).leaf);
    expect(two.certs.current()).toMatchObject(stored(world).leaf);
    expect([...one.told.restored, ...two.told.restored]).toEqual([]);
    expect(world.refusals).toEqual([]);
  });
});

describe('when somebody spoils the store', () => {
  it.each<[string, (state: CertState) => Record<string, string> | null, string]>([
    ['removes it', () => null, 'it was removed'],
    ['empties it', () => ({}), 'it was removed'],
    [
      'garbles it',
      (state) => ({ ...certDataOf(state), 'tls.crt': 'x' }),
      'tls.crt holds no readable PEM certificate',
    ],
    ['takes a key out', (state) => ({ ...certDataOf(state), 'ca.key': '' }), 'ca.key is missing'],
  ])('who %s is not noticed by clients: the leader puts it back', async (_, spoil, reason) => {
    const { world, leader, follower } = await running();
    const state = stored(world);
    world.store.put(spoil(state));
    await world.settle();
    expect(stored(world)).toEqual(state);
    expect(leader.told.restored).toEqual([`Secret test/tls: ${reason}`]);
    expect([leader.served.length, follower.served.length]).toEqual([1, 1]);
    await world.pass(lives.ca);
    expect(world.refusals).toEqual([]);
  });

  it('goes on serving without a leader, and the next one puts it back', async () => {
    const { world, follower } = await running();
    const state = stored(world);
    await world.kill('one');
    world.store.put(null);
    await world.pass(minute);
    expect(follower.certs.current()).toMatchObject(state.leaf);
    await world.elect('two');
    expect(stored(world)).toEqual(state);
    expect(world.refusals).toEqual([]);
  });

  it('keeps clients content when the only leader knows nothing of what was removed', async () => {
    const { world, follower } = await running();
    const before = stored(world);
    await world.kill('one');
    world.store.put(null);
    // A newcomer leads; "two" still serves what was removed.
    world.leader = 'three';
    world.start('three');
    await world.settle();
    expect(stored(world).ca).not.toEqual(before.ca);
    expect(follower.certs.current()).toMatchObject(before.leaf);
    world.refusals.length = 0;
    await world.pass(propagationMs - second);
    expect(follower.certs.current()).toMatchObject(before.leaf);
    await world.pass(2 * second);
    expect(follower.certs.current()).toMatchObject(stored(world).leaf);
    expect(world.refusals.filter((line) => line.includes('two'))).toEqual([]);
  });

  it('takes on an authority of somebody else as the next one, and no client notices', async () => {
    const { world, leader, follower } = await running({ lagMs: 3 * second });
    const ours = stored(world);
    const theirs = await firstState(world.clock.now(), { ...rules, hosts: ['elsewhere.example'] });
    world.store.put(certDataOf(theirs));
    await world.settle();
    expect(stored(world)).toEqual({ ...ours, next: theirs.ca });
    expect(leader.told.restored).toEqual([
      'Secret test/tls: it was replaced; the new authority comes next, once clients trust it',
    ]);
    await world.pass(propagationMs + 10 * second);
    expect(stored(world).ca).toEqual(theirs.ca);
    expect(follower.certs.current()).toMatchObject(stored(world).leaf);
    await world.pass(lives.ca);
    expect(world.refusals).toEqual([]);
  });

  it('puts the newer state back over an older one', async () => {
    const { world, leader } = await running();
    const old = stored(world);
    await world.passUntil(() => stored(world).retired.length > 0);
    await world.pass(2 * minute);
    const newer = stored(world);
    world.store.put(certDataOf(old));
    await world.settle();
    expect(stored(world)).toEqual(newer);
    expect(leader.told.restored).toEqual(['Secret test/tls: it was replaced by an older one']);
    expect(world.refusals).toEqual([]);
  });

  it('renews an older leaf that was put back, and never serves an expired one', async () => {
    const { world, leader } = await running();
    const old = stored(world);
    await world.pass(lives.leaf + minute);
    world.store.put(certDataOf(old));
    await world.settle();
    expect(stored(world).ca).toEqual(old.ca);
    expect(leader.served.filter((cert) => cert === old.leaf.cert)).toHaveLength(1);
    await world.pass(minute);
    expect(world.refusals).toEqual([]);
  });
});

describe('when somebody changes the bundle', () => {
  it.each(['', 'no certificate'])('repairs it at once (%j)', async (bundle) => {
    const { world, leader } = await running();
    const { cert } = stored(world).ca;
    world.target.put({ kind: 'present', bundles: [bundle] });
    await world.settle();
    expect(world.target.bundle).toBe(cert);
    expect(leader.told.repaired).toEqual(['ValidatingWebhookConfiguration test']);
  });

  it('takes out an authority that is not ours', async () => {
    const { world } = await running();
    const { cert } = stored(world).ca;
    const other = await firstState(world.clock.now(), rules);
    world.target.put({ kind: 'present', bundles: [cert + other.ca.cert] });
    await world.settle();
    expect(world.target.bundle).toBe(cert);
  });

  it('leaves alone what differs in form only', async () => {
    const { world, leader } = await running();
    const { cert } = stored(world).ca;
    const injected = { kind: 'present', bundles: [`# CA\n${cert.trim()}`] } as const;
    world.target.put(injected);
    await world.pass(minute);
    expect(world.target.injected).toBe(injected);
    expect(leader.told.repaired).toEqual([]);
  });

  it('does not race with somebody who changes it over and over, says so once, and wins in the end', async () => {
    const { world, leader } = await running();
    const { cert } = stored(world).ca;
    for (let n = 0; n < 40; n += 1) {
      if (world.target.bundle !== '') world.target.put({ kind: 'present', bundles: [''] });
      await world.pass(second);
    }
    expect(leader.told.repaired.length).toBeGreaterThanOrEqual(5);
    expect(leader.told.repaired.length).toBeLessThanOrEqual(15);
    expect(leader.told.faults.map(({ code }) => code)).toEqual(['CA_BUNDLE_CONTESTED']);
    await world.pass(10 * second);
    expect(world.target.bundle).toBe(cert);
  });

  it('writes it when the configuration comes back, and said that it was missing', async () => {
    const { world, leader } = await running();
    world.target.put({ kind: 'absent' });
    await world.pass(minute);
    expect(leader.told.faults.map(({ code, message, hint }) => [code, message, hint])).toEqual([
      ['CA_BUNDLE_ABSENT', 'ValidatingWebhookConfiguration test does not exist: no review comes', 'apply it'],
    ]);
    expect(leader.certs.readiness().ok).toBe(true);
    world.target.put({ kind: 'present', bundles: [''] });
    await world.settle();
    expect(world.target.bundle).toBe(stored(world).ca.cert);
  });

  it('does not fight with somebody who was told to manage it', async () => {
    const world = new CertWorld(
      new MemoryBundleTarget({ kind: 'managed-elsewhere', by: 'the annotation a/b has c write it' }),
    );
    world.leader = 'one';
    const { told } = world.start('one');
    await world.pass(10 * minute);
    expect(told.faults.map(({ code, message }) => [code, message])).toEqual([
      [
        'CA_BUNDLE_MANAGED',
        'the caBundle of ValidatingWebhookConfiguration test is left alone: the annotation a/b has c write it',
      ],
    ]);
    expect(world.target.injections).toBe(0);
  });

  it('waits with a new authority while there is no configuration, and only the end of the old one ends that', async () => {
    const { world } = await running();
    const { ca } = stored(world);
    world.target.put({ kind: 'absent' });
    await world.pass(lives.ca - 10 * minute);
    expect(stored(world).ca).toEqual(ca);
    expect(stored(world).next).toBeDefined();
    await world.pass(6 * minute);
    expect(stored(world).ca).not.toEqual(ca);
  });
});

describe('when writing fails', () => {
  const refused = (message: string) => Object.assign(new Error(message), { hint: 'give it a Role' });

  it('tells of it once, tries again with growing waits, and serves what it has meanwhile', async () => {
    const { world, leader } = await running();
    const { leaf } = stored(world);
    const { saves } = world.store;
    world.store.failures.push(...Array.from({ length: 4 }, () => refused('update Secret test/tls: no')));
    await world.pass(20 * minute - 2 * minute);
    expect(leader.told.faults.map(({ code, message, hint }) => [code, message, hint])).toEqual([
      [
        'CERT_STORE_UNWRITABLE',
        'Secret test/tls cannot be written: update Secret test/tls: no',
        'give it a Role',
      ],
    ]);
    expect(leader.certs.current()).toMatchObject(leaf);
    // 1, 2, 4 and 8 seconds.
    await world.pass(14 * second);
    expect(world.store.saves).toBe(saves);
    await world.pass(2 * second);
    expect(world.store.saves).toBe(saves + 1);
    expect(leader.certs.current()).not.toMatchObject(leaf);
    expect(world.refusals).toEqual([]);
  });

  it('tells when the bundle cannot be written, and never lets the next authority sign before it could', async () => {
    const { world, leader } = await running();
    const { ca } = stored(world);
    world.target.failures.push(...Array.from({ length: 20 }, () => refused('forbidden')));
    await world.passUntil(() => stored(world).next !== undefined);
    await world.pass(5 * minute);
    expect(leader.told.faults.map(({ code }) => code)).toEqual(['CA_BUNDLE_UNWRITABLE']);
    expect(stored(world).ca).toEqual(ca);
    await world.passUntil(() => world.target.failures.length === 0);
    await world.pass(3 * minute);
    expect(stored(world).ca).not.toEqual(ca);
    expect(world.refusals).toEqual([]);
  });

  it('tells nothing of the keys', async () => {
    const { world, leader, follower } = await running();
    const state = stored(world);
    world.store.put({ ...certDataOf(state), 'tls.crt': state.leaf.key });
    world.store.failures.push(refused('no'));
    await world.pass(minute);
    const told = JSON.stringify([leader.told, follower.told]);
    expect(told).toContain('CERT_STORE_UNWRITABLE');
    expect(told).not.toMatch(/PRIVATE|BEGIN/);
  });
});

describe('a store that shows a write late', () => {
  it('is not taken for somebody who puts an older state back', async () => {
    const world = new CertWorld();
    world.leader = 'one';
    const { told, served } = world.start('one', { lagMs: 20 * second });
    await world.pass(3 * lives.ca);
    expect(told.restored).toEqual([]);
    expect(told.faults).toEqual([]);
    expect(new Set(served).size).toBe(served.length);
    expect(world.store.conflicts).toBe(0);
    expect(told.renewed.length).toBeGreaterThan(20);
  });
});

describe('stop', () => {
  it('ends everything: nobody is called, no timer is left, and nothing is written', async () => {
    const { world, leader } = await running();
    await leader.certs.stop();
    await leader.certs.stop();
    const calls = leader.served.length;
    world.store.put(null);
    world.target.put({ kind: 'present', bundles: [''] });
    await world.pass(lives.ca);
    expect(leader.served.length).toBe(calls);
    expect(world.store.content).toBeNull();
    await world.replicas.get('two')?.certs.stop();
    expect(world.clock.nextTimer).toBe(Infinity);
  });

  it('ends the wait for a first pair, as an abort does', async () => {
    const store = new MemoryCertStore();
    const certs = new ManagedCerts({
      store: store.view(() => undefined),
      target: new MemoryBundleTarget().view(),
      clock: new ManualClock(new Date(0)),
      random: () => 0,
      isLeader: () => true,
      hosts: [host],
      observer: {
        onRenewed: () => undefined,
        onRestored: () => undefined,
        onInjected: () => undefined,
        onRepaired: () => undefined,
        onFault: () => undefined,
      },
    });
    certs.start();
    const aborted = new AbortController();
    const first = certs.firstPair(aborted.signal);
    aborted.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    const second = certs.firstPair();
    await certs.stop();
    await expect(second).rejects.toThrow('stopped');
    expect(store.content).toBeNull();
  });
});
