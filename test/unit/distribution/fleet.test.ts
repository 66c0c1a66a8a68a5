import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Clock } from '../../../src/distribution/clock.js';
import { Fleet, type FleetOptions } from '../../../src/distribution/fleet.js';
import type { FleetEvent } from '../../../src/distribution/fleet-event.js';
import { NodeError } from '../../../src/distribution/node-error.js';
import type { OpenNode, OpenNodeOptions } from '../../../src/distribution/open-node.js';
import type { TargetNode } from '../../../src/distribution/target-node.js';
import { desiredState } from './desired.js';
import { MemoryFiles } from './memory-files.js';

const root = '/C:/k/registries';
const one = desiredState({ 'quay.io': 'one' });
const two = desiredState({ 'quay.io': 'two' });
const node = (name: string, more: Partial<TargetNode> = {}): TargetNode => ({
  name,
  address: `${name}.example`,
  port: 22,
  username: 'Administrator',
  privateKey: 'key',
  root,
  ...more,
});

/** Time that passes only when told to. */
class ManualClock implements Clock {
  #now = 1_000_000;
  readonly #timers = new Map<object, { at: number; callback: () => void }>();

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const key = {};
    this.#timers.set(key, { at: this.#now + milliseconds, callback });
    return () => void this.#timers.delete(key);
  }

  get waiting(): number {
    return this.#timers.size;
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds;
    for (const [key, { at, callback }] of [...this.#timers]) {
      if (at <= this.#now && this.#timers.delete(key)) callback();
    }
  }
}

/** Nodes in memory, some of which do not answer. */
class Site {
  readonly clock = new ManualClock();
  readonly events: FleetEvent[] = [];
  readonly dead = new Set<string>();
  readonly opened: string[] = [];
  readonly fleet: Fleet;
  /** Runs before a connection is made. */
  connecting: (target: TargetNode, options: OpenNodeOptions) => Promise<void> = () => Promise.resolve();
  openSessions = 0;
  mostSessions = 0;
  readonly #files = new Map<string, MemoryFiles>();

  constructor(options: Partial<FleetOptions> = {}) {
    this.fleet = new Fleet({
      open: this.#open,
      clock: this.clock,
      random: () => 0,
      observe: (event) => this.events.push(event),
      ...options,
    });
  }

  filesOf(name: string): MemoryFiles {
    const files = this.#files.get(name) ?? new MemoryFiles().putDirectory('/C:');
    this.#files.set(name, files);
    return files;
  }

  held(name: string): string | undefined {
    return this.filesOf(name).tree(root)['quay.io/hosts.toml'];
  }

  states(): Record<string, string> {
    return Object.fromEntries(this.fleet.status().map(({ name, state }) => [name, state]));
  }

  eventsOf(name: string): string[] {
    return this.events.filter((event) => event.node === name).map(({ type }) => type);
  }

  readonly #open: OpenNode = async (target, options) => {
    this.opened.push(`${target.name}@${target.address}`);
    this.openSessions += 1;
    this.mostSessions = Math.max(this.mostSessions, this.openSessions);
    try {
      await this.connecting(target, options);
      if (this.dead.has(target.address)) throw new NodeError('unreachable', 'no answer', 'look at it');
    } catch (error) {
      this.openSessions -= 1;
      throw error;
    }
    const files = this.filesOf(target.name);
    const close = (): Promise<void> => {
      this.openSessions -= 1;
      return Promise.resolve();
    };
    return {
      list: files.list.bind(files),
      read: files.read.bind(files),
      create: files.create.bind(files),
      replace: files.replace.bind(files),
      remove: files.remove.bind(files),
      makeDirectory: files.makeDirectory.bind(files),
      removeDirectory: files.removeDirectory.bind(files),
      close,
    };
  };
}

/** A promise that rejects when the connection is given up. */
const untilAborted = (options: OpenNodeOptions): Promise<never> =>
  new Promise((_, reject) => {
    options.signal.addEventListener('abort', () => {
      reject(options.signal.reason as Error);
    });
  });

const gate = (): { readonly opened: Promise<void>; readonly open: () => void } => {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return {
    opened,
    open: () => {
      open();
    },
  };
};

let site: Site;
afterEach(async () => {
  await site.fleet.stop();
  expect(site.openSessions).toBe(0);
  expect(site.clock.waiting).toBe(0);
});

describe('a rollout', () => {
  it('brings every node to the desired state, each in a session of its own that is closed', async () => {
    site = new Site();
    site.fleet.setNodes([node('b'), node('a')]);
    expect(site.states()).toEqual({ a: 'pending', b: 'pending' });
    expect(site.opened).toEqual([]);

    site.fleet.setDesired(one);
    const outcome = await site.fleet.whenSettled();
    expect(outcome.revision).toBe(one.revision);
    expect(outcome.nodes).toMatchObject([
      {
        name: 'a',
        state: 'synced',
        wanted: one.revision,
        held: one.revision,
        attempts: 0,
        lastSuccess: 1_000_000,
      },
      { name: 'b', state: 'synced', lastResult: { written: ['quay.io/hosts.toml'] } },
    ]);
    expect([site.held('a'), site.held('b')]).toEqual(['one', 'one']);
    expect(site.eventsOf('a')).toEqual(['syncing', 'synced']);
    expect(site.openSessions).toBe(0);
  });

  it('has no more sessions open than the concurrency allows', async () => {
    site = new Site({ concurrency: 3 });
    site.fleet.setNodes(Array.from({ length: 12 }, (_, index) => node(`n${index}`)));
    site.fleet.setDesired(one);
    const { nodes } = await site.fleet.whenSettled();
    expect(nodes.filter(({ state }) => state === 'synced')).toHaveLength(12);
    expect(site.mostSessions).toBe(3);
  });

  it('is settled at once when there are no nodes', async () => {
    site = new Site();
    const settled = site.fleet.whenSettled();
    site.fleet.setDesired(one);
    expect(await settled).toEqual({ revision: one.revision, nodes: [] });
  });

  it('does nothing when the same revision is set again', async () => {
    site = new Site();
    site.fleet.setNodes([node('a')]);
    site.fleet.setDesired(one);
    await site.fleet.whenSettled();
    site.fleet.setDesired(desiredState({ 'quay.io': 'one' }));
    await site.fleet.whenSettled();
    expect(site.opened).toHaveLength(1);
  });
});

describe('a node that fails', () => {
  it('holds up nobody, says why, and is tried again for ever, later and later', async () => {
    site = new Site({ concurrency: 1 });
    site.dead.add('dead.example');
    site.fleet.setNodes([node('dead'), node('a'), node('b')]);
    site.fleet.setDesired(one);
    const outcome = await site.fleet.whenSettled();
    expect(site.states()).toEqual({ a: 'synced', b: 'synced', dead: 'failed' });
    expect(outcome.nodes.find(({ name }) => name === 'dead')).toMatchObject({
      held: undefined,
      lastError: { class: 'unreachable', message: 'no answer', hint: 'look at it' },
      attempts: 1,
      nextRetry: 1_005_000,
    });

    const waits: number[] = [];
    for (let round = 0; round < 8; round += 1) {
      const failure = site.events.findLast((event) => event.type === 'failed');
      if (failure?.type !== 'failed') throw new Error('no failure');
      waits.push(failure.retryIn);
      site.clock.advance(failure.retryIn - 1);
      expect(site.states()['dead']).toBe('failed');
      site.clock.advance(1);
      await site.fleet.whenSettled();
    }
    expect(waits).toEqual([5_000, 10_000, 20_000, 40_000, 80_000, 150_000, 150_000, 150_000]);
    expect(site.eventsOf('a')).toEqual(['syncing', 'synced']);
  });

  it('is in sync as soon as it answers, and starts anew with short waits after the next failure', async () => {
    site = new Site();
    site.dead.add('a.example');
    site.fleet.setNodes([node('a')]);
    site.fleet.setDesired(one);
    await site.fleet.whenSettled();
    site.clock.advance(5_000);
    await site.fleet.whenSettled();
    site.dead.clear();
    site.clock.advance(10_000);
    await site.fleet.whenSettled();
    expect(site.fleet.status()).toMatchObject([
      { state: 'synced', attempts: 0, lastError: undefined, nextRetry: undefined },
    ]);

    site.dead.add('a.example');
    site.fleet.setDesired(two);
    await site.fleet.whenSettled();
    expect(site.fleet.status()).toMatchObject([
      { state: 'failed', attempts: 1, held: one.revision, wanted: two.revision, lastSuccess: 1_015_000 },
    ]);
    expect(site.events.at(-1)).toMatchObject({ type: 'failed', retryIn: 5_000, attempts: 1 });
  });

  it('goes on waiting when a newer revision comes, and then takes the newest', async () => {
    site = new Site();
    site.dead.add('a.example');
    site.fleet.setNodes([node('a')]);
    site.fleet.setDesired(one);
    await site.fleet.whenSettled();
    site.fleet.setDesired(two);
    await site.fleet.whenSettled();
    expect(site.opened).toHaveLength(1);
    site.dead.clear();
    site.clock.advance(5_000);
    await site.fleet.whenSettled();
    expect(site.held('a')).toBe('two');
  });

  it('is tried at once when it is reached in another way, and not when nothing about it changed', async () => {
    site = new Site();
    site.dead.add('a.example');
    site.fleet.setNodes([node('a')]);
    site.fleet.setDesired(one);
    await site.fleet.whenSettled();
    site.fleet.setNodes([node('a')]);
    await site.fleet.whenSettled();
    expect(site.opened).toEqual(['a@a.example']);
    site.fleet.setNodes([node('a', { address: 'new.example' })]);
    await site.fleet.whenSettled();
    expect(site.opened).toEqual(['a@a.example', 'a@new.example']);
    expect(site.fleet.status()).toMatchObject([{ state: 'synced', address: 'new.example' }]);
  });

  it('starts anew with short waits at a new address, and no longer counts as holding anything', async () => {
    site = new Site();
    site.fleet.setNodes([node('a')]);
    site.fleet.setDesired(one);
    await site.fleet.whenSettled();
    site.dead.add('a.example').add('new.example');
    site.fleet.syncNow();
    await site.fleet.whenSettled();
    site.clock.advance(5_000);
    await site.fleet.whenSettled();
    expect(site.fleet.status()).toMatchObject([{ attempts: 2, held: one.revision }]);
    site.fleet.setNodes([node('a', { address: 'new.example' })]);
    await site.fleet.whenSettled();
    expect(site.fleet.status()).toMatchObject([{ attempts: 1, held: undefined, nextRetry: 1_010_000 }]);
  });

  it('is tried at once on demand', async () => {
    site = new Site();
    site.dead.add('a.example');
    site.fleet.setNodes([node('a')]);
    site.fleet.setDesired(one);
    await site.fleet.whenSettled();
    site.dead.clear();
    expect(site.fleet.syncNow('a')).toBe(true);
    await site.fleet.whenSettled();
    expect(site.states()).toEqual({ a: 'synced' });
    expect(site.fleet.syncNow('nobody')).toBe(false);
  });

  it('shows an unexpected error too, and the fleet goes on', async () => {
    site = new Site();
    site.connecting = (target) =>
      target.name === 'a' ? Promise.reject(new Error('a bug')) : Promise.resolve();
    site.fleet.setNodes([node('a'), node('b')]);
    site.fleet.setDesired(one);
    await site.fleet.whenSettled();
    expect(site.states()).toEqual({ a: 'failed', b: 'synced' });
    expect(site.fleet.status()[0]?.lastError).toMatchObject({ class: 'protocol', message: 'a bug' });
  });
});

describe('a newer revision', () => {
  it('is what nodes that have not started take, and nodes in flight go again', async () => {
    site = new Site({ concurrency: 1 });
    const arrived = gate();
    const go = gate();
    site.connecting = async (target) => {
      if (target.name !== 'a' || site.opened.length > 1) return;
      arrived.open();
      await go.opened;
    };
    site.fleet.setNodes([node('a'), node('b'), node('c')]);
    site.fleet.setDesired(one);
    await arrived.opened;
    site.fleet.setDesired(two);
    expect(site.states()).toEqual({ a: 'syncing', b: 'pending', c: 'pending' });
    go.open();
    await site.fleet.whenSettled();

    expect(['a', 'b', 'c'].map((name) => site.held(name))).toEqual(['two', 'two', 'two']);
    const revisions = (name: string): string[] =>
      site.events.flatMap((event) =>
        event.node === name && event.type === 'synced' ? [event.revision] : [],
      );
    expect(revisions('a')).toEqual([one.revision, two.revision]);
    expect(revisions('b')).toEqual([two.revision]);
    expect(revisions('c')).toEqual([two.revision]);
  });

  it('that is taken back is not held by a node on which it was begun, until that one was read again', async () => {
    site = new Site();
    site.fleet.setNodes([node('a'), node('b')]);
    site.fleet.setDesired(one);
    await site.fleet.whenSettled();
    const standing = () => site.fleet.status().map(({ state, held, mixed }) => ({ state, held, mixed }));
    expect(standing()).toEqual(Array(2).fill({ state: 'synced', held: one.revision, mixed: false }));

    const files = site.filesOf('a');
    vi.spyOn(files, 'replace').mockRejectedValueOnce(new NodeError('unreachable', 'cut', 'look at it'));
    site.dead.add(node('b').address);
    site.fleet.setDesired(two);
    await site.fleet.whenSettled();
    site.fleet.setDesired(one);
    expect(standing()).toEqual([
      { state: 'failed', held: one.revision, mixed: true },
      // Nothing was begun there.
      { state: 'failed', held: one.revision, mixed: false },
    ]);

    site.dead.clear();
    site.clock.advance(5_000);
    expect(site.states()).toEqual({ a: 'syncing', b: 'syncing' });
    await site.fleet.whenSettled();
    expect(standing()).toEqual(Array(2).fill({ state: 'synced', held: one.revision, mixed: false }));
  });
});

describe('syncNow', () => {
  it('reads nodes in sync again, and puts back what somebody changed', async () => {
    site = new Site();
    site.fleet.setNodes([node('a'), node('b')]);
    site.fleet.setDesired(one);
    await site.fleet.whenSettled();
    site.filesOf('a').put(`${root}/quay.io/hosts.toml`, 'somebody else');
    site.fleet.syncNow();
    await site.fleet.whenSettled();
    expect(site.held('a')).toBe('one');
    expect(site.fleet.status()).toMatchObject([
      { lastResult: { written: ['quay.io/hosts.toml'] } },
      { lastResult: { written: [], unchanged: 1 } },
    ]);
  });
});

describe('nodes that come and go', () => {
  it('syncs a node that is added, and forgets one that is removed, retries included', async () => {
    site = new Site();
    site.dead.add('dead.example');
    site.fleet.setNodes([node('dead')]);
    site.fleet.setDesired(one);
    await site.fleet.whenSettled();
    site.fleet.setNodes([node('a')]);
    await site.fleet.whenSettled();
    expect(site.states()).toEqual({ a: 'synced' });
    site.clock.advance(3_600_000);
    await site.fleet.whenSettled();
    expect(site.opened).toEqual(['dead@dead.example', 'a@a.example']);
  });

  it('gives up a connection to a node that is removed meanwhile', async () => {
    site = new Site();
    const arrived = gate();
    site.connecting = (_, options) => {
      arrived.open();
      return untilAborted(options);
    };
    site.fleet.setNodes([node('a')]);
    site.fleet.setDesired(one);
    await arrived.opened;
    site.fleet.setNodes([]);
    expect(await site.fleet.whenSettled()).toMatchObject({ nodes: [] });
    expect(site.eventsOf('a')).toEqual(['syncing']);
  });

  it('has one session at a time with a node that is removed and added again', async () => {
    site = new Site();
    const arrived = gate();
    const go = gate();
    site.connecting = async () => {
      arrived.open();
      if (site.opened.length === 1) await go.opened;
    };
    site.fleet.setNodes([node('a')]);
    site.fleet.setDesired(one);
    await arrived.opened;
    site.fleet.setNodes([]);
    site.fleet.setNodes([node('a')]);
    go.open();
    await site.fleet.whenSettled();
    expect(site.states()).toEqual({ a: 'synced' });
    expect(site.mostSessions).toBe(1);
  });

  it('will not take two nodes of one name', () => {
    site = new Site();
    expect(() => {
      site.fleet.setNodes([node('a'), node('a')]);
    }).toThrow(/same name/);
  });
});

describe('stop', () => {
  it('lets a session finish the file it is at, starts nothing more, and settles whoever waits', async () => {
    site = new Site({ concurrency: 1 });
    const several = desiredState(
      Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`r${index}.io`, 'x'])),
    );
    const writing = gate();
    site.filesOf('a').before = (operation) => {
      if (operation.startsWith('create')) writing.open();
    };
    site.fleet.setNodes([node('a'), node('b')]);
    site.fleet.setDesired(several);
    const settled = site.fleet.whenSettled();
    await writing.opened;
    await site.fleet.stop();

    const left = site.filesOf('a').tree(root);
    expect(Object.keys(left).length).toBeGreaterThan(0);
    expect(Object.keys(left).length).toBeLessThan(200);
    expect(Object.keys(left).filter((path) => !path.endsWith('.io/hosts.toml'))).toEqual([]);
    expect(site.opened).toEqual(['a@a.example']);
    expect((await settled).nodes.map(({ state }) => state)).toEqual(['pending', 'pending']);
    expect(site.eventsOf('a')).toEqual(['syncing']);
  });

  it('cuts a session off after the grace period', async () => {
    site = new Site();
    const stuck = gate();
    site.connecting = (_, options) => {
      site.filesOf('a').list = () => {
        stuck.open();
        return untilAborted(options);
      };
      return Promise.resolve();
    };
    site.fleet.setNodes([node('a')]);
    site.fleet.setDesired(one);
    await stuck.opened;
    const stopped = site.fleet.stop({ grace: 3_000 });
    site.clock.advance(3_000);
    await stopped;
    expect(site.openSessions).toBe(0);
  });

  it('starts nothing afterwards, and leaves no retry behind', async () => {
    site = new Site();
    site.dead.add('a.example');
    site.fleet.setNodes([node('a')]);
    site.fleet.setDesired(one);
    await site.fleet.whenSettled();
    await site.fleet.stop();
    site.fleet.setNodes([node('a'), node('b')]);
    site.fleet.setDesired(two);
    site.fleet.syncNow();
    site.clock.advance(3_600_000);
    expect((await site.fleet.whenSettled()).nodes).toHaveLength(2);
    expect(site.opened).toHaveLength(1);
  });
});

describe('events', () => {
  it('tell when a host key is pinned, also when the log-in then fails', async () => {
    site = new Site();
    site.connecting = (_, options) => {
      options.onHostKeyPinned('SHA256:x');
      return Promise.reject(new NodeError('authentication', 'refused', 'add the key'));
    };
    site.fleet.setNodes([node('a')]);
    site.fleet.setDesired(one);
    await site.fleet.whenSettled();
    expect(site.events).toEqual([
      { type: 'syncing', node: 'a', revision: one.revision },
      { type: 'host-key-pinned', node: 'a', fingerprint: 'SHA256:x' },
      {
        type: 'failed',
        node: 'a',
        revision: one.revision,
        error: { class: 'authentication', message: 'refused', hint: 'add the key' },
        attempts: 1,
        retryIn: 5_000,
      },
    ]);
  });
});
