import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../../../src/cluster/api-error.js';
import { resources, type KubeObject } from '../../../src/cluster/kube-object.js';
import { LeaderElector, type LeaderElectorOptions } from '../../../src/cluster/leader-election.js';
import { FakeApi, type Link } from './fake-api.js';

const { leases } = resources;
const key = { namespace: 'mirrorgate', name: 'mirrorgate' };
const cut = () => new ApiError('unreachable', 'the connection was refused');
const never = () => new Promise<void>(() => undefined);

interface Process {
  readonly elector: LeaderElector;
  readonly link: Link;
  readonly log: string[];
  /** What its monotonic clock is ahead: a process that was frozen finds its clock gone on, and no timer run. */
  skip: number;
}

let api: FakeApi;
let processes: Process[];
let mostHolders: number;
let watchHolders: NodeJS.Timeout;

beforeEach(() => {
  vi.useFakeTimers();
  api = new FakeApi();
  processes = [];
  mostHolders = 0;
  watchHolders = setInterval(() => {
    mostHolders = Math.max(mostHolders, processes.filter(({ elector }) => elector.holds()).length);
  }, 50);
});
afterEach(async () => {
  for (const { elector, link } of processes) {
    link.before = link.after = undefined;
    void elector.stop();
  }
  await seconds(20);
  clearInterval(watchHolders);
  expect(mostHolders).toBeLessThanOrEqual(1);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

function run(identity: string, options: Partial<LeaderElectorOptions> = {}): Process {
  const log: string[] = [];
  const link: Link = {};
  const process: Process = {
    link,
    log,
    skip: 0,
    elector: new LeaderElector({
      client: api.client(link),
      lease: key,
      identity,
      onAcquired: () => log.push('acquired'),
      onLost: (why) => log.push(`lost: ${why}`),
      now: () => performance.now() + process.skip,
      random: () => 0.5,
      ...options,
    }),
  };
  processes.push(process);
  process.elector.start();
  return process;
}

const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1000);
const spec = () => api.get(leases, key)?.['spec'] as Record<string, unknown> | undefined;

/** A Lease that somebody gave up: free at once. */
function freeLease(): KubeObject {
  return api.put(leases, {
    apiVersion: leases.apiVersion,
    kind: leases.kind,
    metadata: { ...key, labels: { kept: 'yes' } },
    spec: { holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 4, renewTime: 'x' },
  });
}

describe('acquiring', () => {
  it('takes a free Lease at once, and writes it as others expect it', async () => {
    vi.setSystemTime('2026-01-02T03:04:05.678Z');
    freeLease();
    const { elector, log } = run('a');
    await seconds(0);
    expect(elector.holds()).toBe(true);
    expect(elector.holder()).toBe('a');
    expect(log).toEqual(['acquired']);
    expect(spec()).toEqual({
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      leaseTransitions: 5,
      acquireTime: '2026-01-02T03:04:05.678000Z',
      renewTime: '2026-01-02T03:04:05.678000Z',
    });
    expect(api.get(leases, key)?.metadata.labels).toEqual({ kept: 'yes' });
  });

  it('renews without reading, and keeps since when it is held', async () => {
    vi.setSystemTime('2026-01-02T03:04:05.000Z');
    freeLease();
    const { elector, log } = run('a');
    await seconds(60);
    expect(elector.holds()).toBe(true);
    expect(log).toEqual(['acquired']);
    expect(api.count('get')).toBe(1);
    expect(spec()).toMatchObject({ acquireTime: '2026-01-02T03:04:05.000000Z', leaseTransitions: 5 });
    expect(spec()?.['renewTime']).toMatch(/^2026-01-02T03:05:0[2-5]\.\d{6}Z$/);
  });

  it('makes the Lease where there is none, and holds it once a leader before it must have given up', async () => {
    const { elector, log } = run('a');
    await seconds(9.9);
    expect(elector.holder()).toBe('a');
    expect(elector.holds()).toBe(false);
    await seconds(0.2);
    expect(elector.holds()).toBe(true);
    expect(log).toEqual(['acquired']);
    expect(spec()).toMatchObject({ holderIdentity: 'a', leaseTransitions: 0 });
  });

  it('waits as long when the answer to its making was lost', async () => {
    const { elector, link } = run('a');
    link.after = (verb) => {
      if (verb === 'create') throw cut();
    };
    await seconds(9.9);
    expect(spec()?.['holderIdentity']).toBe('a');
    expect(elector.holds()).toBe(false);
    await seconds(5);
    expect(elector.holds()).toBe(true);
  });

  it('lets one of several have it', async () => {
    freeLease();
    const all = ['a', 'b', 'c'].map((name) => run(name));
    await seconds(60);
    expect(all.filter(({ elector }) => elector.holds())).toHaveLength(1);
    expect(all.flatMap(({ log }) => log)).toEqual(['acquired']);
    expect(new Set(all.map(({ elector }) => elector.holder())).size).toBe(1);
  });

  it('tells who leads', async () => {
    freeLease();
    const seen: (string | undefined)[] = [];
    const a = run('a');
    await seconds(1);
    run('b', { onLeader: (identity) => seen.push(identity) });
    await seconds(1);
    await a.elector.stop();
    await seconds(5);
    expect(seen).toEqual(['a', undefined, 'b']);
  });

  it('tells of a fault once, and when it is over', async () => {
    const faults: (string | undefined)[] = [];
    freeLease();
    const { link, elector } = run('a', { onFault: (fault) => faults.push(fault?.code) });
    link.before = () => {
      throw new ApiError('forbidden', 'leases is forbidden');
    };
    await seconds(30);
    expect(elector.holds()).toBe(false);
    link.before = undefined;
    await seconds(5);
    expect(elector.holds()).toBe(true);
    expect(faults).toEqual(['forbidden', undefined]);
  });

  it('tells when the Lease cannot be made', async () => {
    const faults: (string | undefined)[] = [];
    const { link } = run('a', { onFault: (fault) => faults.push(fault?.message) });
    link.before = (verb) => {
      if (verb === 'create') throw new ApiError('not-found', 'namespaces "mirrorgate" not found');
    };
    await seconds(30);
    expect(faults).toEqual(['namespaces "mirrorgate" not found']);
  });

  it('waits as long as the server asks, but not past its deadline', async () => {
    freeLease();
    const { link, elector } = run('a');
    await seconds(1);
    link.before = () => {
      throw new ApiError('overloaded', 'too many requests', { retryAfterMs: 60_000 });
    };
    const before = api.calls.length;
    await seconds(4);
    expect(api.calls).toHaveLength(before + 1);
    link.before = undefined;
    await seconds(4);
    expect(elector.holds()).toBe(true);
  });

  it('refuses durations that leave no margin', () => {
    expect(() => run('a', { durations: { leaseMs: 10_000, renewDeadlineMs: 10_000 } })).toThrow(RangeError);
  });
});

describe('a Lease that is held by somebody else', () => {
  it.each([-86_400_000, 0, 86_400_000])(
    'is left alone as long as it changes, with a wall clock off by %i ms',
    async (skew) => {
      freeLease();
      const a = run('a');
      await seconds(1);
      const b = run('b', { wallClock: () => new Date(Date.now() + skew) });
      await seconds(300);
      expect(a.log).toEqual(['acquired']);
      expect(b.log).toEqual([]);
      expect(b.elector.holder()).toBe('a');
    },
  );

  it.each([-86_400_000, 86_400_000])(
    'is taken when it has not changed for its duration, by a wall clock off by %i ms',
    async (skew) => {
      freeLease();
      const a = run('a');
      const b = run('b', { wallClock: () => new Date(Date.now() + skew) });
      await seconds(20);
      const [leader, other] = a.elector.holds() ? [a, b] : [b, a];
      leader.link.before = never;
      await seconds(12.4);
      expect(other.elector.holds()).toBe(false);
      await seconds(7.6);
      expect(other.elector.holds()).toBe(true);
      expect(other.log).toEqual(['acquired']);
      expect(spec()).toMatchObject({ leaseTransitions: 6 });
    },
  );

  it('is taken no earlier than its own duration says', async () => {
    api.put(leases, {
      metadata: key,
      spec: { holderIdentity: 'other', leaseDurationSeconds: 40, renewTime: '2000-01-01T00:00:00.000000Z' },
    });
    const { elector } = run('a');
    await seconds(39.9);
    expect(elector.holds()).toBe(false);
    await seconds(0.2);
    expect(elector.holds()).toBe(true);
  });

  it('is taken by one only when two wait for it', async () => {
    api.put(leases, { metadata: key, spec: { holderIdentity: 'dead', leaseDurationSeconds: 15 } });
    const a = run('a');
    const b = run('b');
    await seconds(60);
    expect([...a.log, ...b.log]).toEqual(['acquired']);
  });

  it('is not taken while it cannot be read', async () => {
    freeLease();
    run('a');
    await seconds(1);
    const b = run('b');
    await seconds(1);
    b.link.before = () => {
      throw cut();
    };
    await seconds(60);
    expect(b.log).toEqual([]);
    b.link.before = undefined;
    await seconds(10);
    // It has changed meanwhile: the wait begins anew.
    expect(b.log).toEqual([]);
  });
});

describe('losing', () => {
  it('ends 10 s after the last renewal was sent, and 5 s before others may take it', async () => {
    freeLease();
    const a = run('a');
    await seconds(0);
    const b = run('b');
    a.link.before = never;
    await seconds(9.9);
    expect(a.elector.holds()).toBe(true);
    await seconds(0.1);
    expect(a.elector.holds()).toBe(false);
    expect(a.log).toEqual([
      'acquired',
      'lost: Lease mirrorgate/mirrorgate could not be renewed within 10 s: renew Lease mirrorgate/mirrorgate: no answer in time',
    ]);
    await seconds(4.9);
    expect(b.elector.holds()).toBe(false);
    await seconds(0.5);
    expect(b.elector.holds()).toBe(true);
    a.link.before = undefined;
    await seconds(30);
    expect(a.log).toHaveLength(2);
    expect(a.elector.holder()).toBe('b');
  });

  it('counts from when the renewal was sent, not from its answer', async () => {
    freeLease();
    const { elector, link } = run('a');
    await seconds(1);
    link.after = (verb) =>
      verb === 'replace' ? new Promise((resolve) => setTimeout(resolve, 4_500)) : undefined;
    // Sent at 2.2 s, answered at 6.7 s.
    await seconds(6);
    link.before = never;
    await seconds(5.1);
    expect(elector.holds()).toBe(true);
    await seconds(0.2);
    expect(elector.holds()).toBe(false);
  });

  it('outlives one try that hangs', async () => {
    freeLease();
    const { elector, link, log } = run('a');
    await seconds(1);
    let hangs = 1;
    link.before = () => (hangs-- > 0 ? never() : undefined);
    await seconds(60);
    expect(elector.holds()).toBe(true);
    expect(log).toEqual(['acquired']);
  });

  it('outlives a renewal whose answer was lost', async () => {
    freeLease();
    const { elector, link, log } = run('a');
    await seconds(1);
    let losses = 1;
    link.after = () => {
      if (losses-- > 0) throw cut();
    };
    await seconds(60);
    expect(elector.holds()).toBe(true);
    expect(log).toEqual(['acquired']);
    expect(spec()?.['leaseTransitions']).toBe(5);
  });

  it('is not undone by an answer that comes too late', async () => {
    freeLease();
    const { elector, link, log } = run('a');
    await seconds(1);
    const answers: (() => void)[] = [];
    link.after = () => new Promise((resolve) => answers.push(resolve));
    await seconds(10);
    expect(log).toHaveLength(2);
    for (const answer of answers) answer();
    await seconds(0);
    expect(elector.holds()).toBe(false);
    expect(log).toHaveLength(2);
  });

  it('is noticed by a process that was frozen before it acts, although no timer has run', async () => {
    freeLease();
    const a = run('a');
    await seconds(1);
    expect(a.elector.holds()).toBe(true);
    a.skip += 9_900;
    expect(a.elector.holds()).toBe(false);
    await seconds(0);
    // Thawed: first of all it says so, then it may run again.
    await seconds(10);
    expect(a.log[1]).toBe('lost: Lease mirrorgate/mirrorgate could not be renewed within 10 s');
    expect(a.log).toEqual(['acquired', expect.any(String), 'acquired']);
  });

  it('does not take an answer for a renewal that came while the process was frozen', async () => {
    freeLease();
    const a = run('a');
    await seconds(1);
    const answers: (() => void)[] = [];
    a.link.after = () => new Promise((resolve) => answers.push(resolve));
    await seconds(1.5);
    expect(answers).toHaveLength(1);
    a.skip += 9_000;
    a.link.after = undefined;
    answers[0]!();
    await vi.advanceTimersByTimeAsync(0);
    expect(a.elector.holds()).toBe(false);
    expect(a.log).toHaveLength(2);
  });

  it('is not even begun by an answer that came while the process was frozen', async () => {
    freeLease();
    const a = run('a');
    a.link.after = (verb) => {
      if (verb === 'replace') a.skip += 10_000;
      a.link.after = verb === 'replace' ? undefined : a.link.after;
    };
    await seconds(0);
    expect(a.elector.holds()).toBe(false);
    expect(a.log).toEqual([]);
    await seconds(5);
    expect(a.log).toEqual(['acquired']);
  });

  it('comes at once when the Lease names somebody else', async () => {
    freeLease();
    const { elector, log } = run('a');
    await seconds(1);
    const lease = api.get(leases, key)!;
    api.put(leases, { ...lease, spec: { ...(lease['spec'] as object), holderIdentity: 'b' } });
    await seconds(2);
    expect(elector.holds()).toBe(false);
    expect(log).toEqual(['acquired', 'lost: Lease mirrorgate/mirrorgate is held by b now']);
  });

  it('goes on when who is told throws', async () => {
    const reported: unknown[] = [];
    vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((callback) => {
      try {
        callback();
      } catch (error) {
        reported.push(error);
      }
    });
    freeLease();
    const fault = new Error('the observer is broken');
    const { elector } = run('a', {
      onAcquired: () => {
        throw fault;
      },
    });
    await seconds(30);
    expect(elector.holds()).toBe(true);
    expect(reported).toEqual([fault]);
    vi.restoreAllMocks();
  });
});

describe('a Lease that is deleted while it is held', () => {
  it('is made again by its holder, who goes on', async () => {
    freeLease();
    const { elector, log } = run('a');
    await seconds(1);
    api.remove(leases, key);
    await seconds(30);
    expect(elector.holds()).toBe(true);
    expect(log).toEqual(['acquired']);
    expect(spec()?.['holderIdentity']).toBe('a');
  });

  it.each([0, 0.5, 1, 1.5, 2])('has never two holders, deleted %d s after a renewal', async (offset) => {
    freeLease();
    const a = run('a');
    await seconds(1);
    const b = run('b');
    await seconds(20 + offset);
    api.remove(leases, key);
    await seconds(60);
    expect([a, b].filter(({ elector }) => elector.holds())).toHaveLength(1);
  });

  it('has never two holders where the holder is cut off', async () => {
    freeLease();
    const a = run('a');
    await seconds(1);
    const b = run('b');
    await seconds(1.3);
    a.link.before = never;
    api.remove(leases, key);
    await seconds(3);
    expect(spec()?.['holderIdentity']).toBe('b');
    expect(a.elector.holds()).toBe(true);
    expect(b.elector.holds()).toBe(false);
    await seconds(15);
    expect(a.elector.holds()).toBe(false);
    expect(b.elector.holds()).toBe(true);
  });

  it('has never two holders where another process starts just then', async () => {
    freeLease();
    const a = run('a');
    await seconds(1);
    a.link.before = never;
    api.remove(leases, key);
    const b = run('b');
    await seconds(30);
    expect(a.log[1]).toContain('lost');
    expect(b.log).toEqual(['acquired']);
  });
});

describe('stopping', () => {
  it('tells first, then gives the Lease up as others expect it: the next has it within a retry', async () => {
    vi.setSystemTime('2026-01-02T03:04:05.000Z');
    freeLease();
    let whenLost: unknown;
    const a = run('a', { onLost: () => (whenLost = spec()?.['holderIdentity']) });
    await seconds(1);
    const b = run('b');
    await seconds(1);
    await a.elector.stop();
    expect(whenLost).toBe('a');
    expect(a.elector.holds()).toBe(false);
    expect(spec()).toEqual({
      holderIdentity: '',
      leaseDurationSeconds: 1,
      leaseTransitions: 5,
      acquireTime: '2026-01-02T03:04:07.000000Z',
      renewTime: '2026-01-02T03:04:07.000000Z',
    });
    await seconds(2.5);
    expect(b.elector.holds()).toBe(true);
    expect(spec()).toMatchObject({ holderIdentity: 'b', leaseDurationSeconds: 15, leaseTransitions: 6 });
  });

  it('leaves the Lease of somebody else alone', async () => {
    freeLease();
    run('a');
    await seconds(1);
    const b = run('b');
    await seconds(5);
    const replaced = api.count('replace');
    const got = api.count('get');
    await b.elector.stop();
    expect(api.count('replace')).toBe(replaced);
    expect(api.count('get')).toBe(got);
    await seconds(60);
    expect(b.log).toEqual([]);
  });

  it('waits for a renewal under way, and gives up what it renewed', async () => {
    freeLease();
    const { elector, link } = run('a');
    await seconds(1);
    link.before = (verb) =>
      verb === 'replace' ? new Promise((resolve) => setTimeout(resolve, 1000)) : undefined;
    await seconds(1.5);
    const stopped = elector.stop();
    link.before = undefined;
    await seconds(1);
    await stopped;
    expect(spec()?.['holderIdentity']).toBe('');
  });

  it('waits for a Lease that is being made, and gives it up', async () => {
    const { elector, link } = run('a');
    link.before = (verb) =>
      verb === 'create' ? new Promise((resolve) => setTimeout(resolve, 1000)) : undefined;
    await seconds(0.5);
    const stopped = elector.stop();
    await seconds(1);
    await stopped;
    expect(spec()?.['holderIdentity']).toBe('');
  });

  it('gives up what was changed meanwhile', async () => {
    freeLease();
    const { elector, link } = run('a');
    await seconds(1);
    let touches = 2;
    link.before = (verb) => {
      if (verb === 'replace' && touches-- > 0) {
        const lease = api.get(leases, key)!;
        api.put(leases, { ...lease, metadata: { ...lease.metadata, annotations: { touched: 'yes' } } });
      }
    };
    await elector.stop();
    expect(spec()?.['holderIdentity']).toBe('');
  });

  it.each(['hangs', 'fails'])('takes bounded time where the API server %s', async (how) => {
    freeLease();
    const { elector, link, log } = run('a');
    await seconds(1);
    link.before = () => {
      if (how === 'hangs') return never();
      throw cut();
    };
    await seconds(2);
    let isStopped = false;
    void elector.stop().then(() => (isStopped = true));
    expect(log.at(-1)).toBe('lost: mirrorgate stops');
    expect(elector.holds()).toBe(false);
    await seconds(5);
    expect(isStopped).toBe(true);
  });

  it.each(['onAcquired', 'onLost', 'onLeader'] as const)('may be asked for by %s', async (callback) => {
    freeLease();
    let stopped: Promise<void> | undefined;
    const a: Process = run('a', {
      [callback]: () => {
        stopped ??= a.elector.stop();
      },
    });
    await seconds(1);
    if (callback === 'onLost') a.link.before = never;
    await seconds(15);
    a.link.before = undefined;
    await seconds(5);
    await stopped;
    const calls = api.calls.length;
    await seconds(60);
    expect(api.calls).toHaveLength(calls);
    expect(a.elector.holds()).toBe(false);
    if (callback !== 'onLost') expect(spec()?.['holderIdentity']).toBe('');
    if (callback === 'onLeader') expect(a.log).toEqual([]);
  });

  it('ends for good', async () => {
    freeLease();
    const { elector, log } = run('a');
    await seconds(1);
    await elector.stop();
    await elector.stop();
    elector.start();
    const calls = api.calls.length;
    await seconds(60);
    expect(api.calls).toHaveLength(calls);
    expect(log).toEqual(['acquired', 'lost: mirrorgate stops']);
  });

  it('may come before the start', async () => {
    const elector = new LeaderElector({
      client: api.client(),
      lease: key,
      identity: 'a',
      onAcquired: () => undefined,
      onLost: () => undefined,
    });
    await elector.stop();
    elector.start();
    await seconds(10);
    expect(api.calls).toEqual([]);
  });
});

it('never lets two hold the Lease, whatever happens to three processes', async () => {
  freeLease();
  let seed = 7;
  const random = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed / 2 ** 31;
  };
  const all = ['a', 'b', 'c'].map((name) => run(name, { random }));
  const wait = () => new Promise<void>((resolve) => setTimeout(resolve, random() * 8_000));
  let acquired = 0;
  for (let step = 0; step < 1500; step += 1) {
    const { link } = all[Math.floor(random() * all.length)]!;
    const pick = random();
    if (pick < 0.25) link.before = wait;
    else if (pick < 0.4) link.after = wait;
    else if (pick < 0.5) link.before = never;
    else if (pick < 0.6) {
      link.after = () => {
        if (random() < 0.5) throw cut();
      };
    } else if (pick < 0.65) api.remove(leases, key);
    else link.before = link.after = undefined;
    await vi.advanceTimersByTimeAsync(random() * 6_000);
    expect(all.filter(({ elector }) => elector.holds()).length).toBeLessThanOrEqual(1);
  }
  for (const { log } of all) acquired += log.filter((line) => line === 'acquired').length;
  expect(acquired).toBeGreaterThan(20);
});
