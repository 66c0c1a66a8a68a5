import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../../../src/cluster/api-error.js';
import { resources, type KubeObject } from '../../../src/cluster/kube-object.js';
import { Reflector, type ReflectorOptions } from '../../../src/cluster/reflector.js';
import { FakeApi, type Link } from './fake-api.js';

const { nodes, imageDigestMirrorSets: mirrorSets, customResourceDefinitions } = resources;
const definition = { metadata: { name: 'imagedigestmirrorsets.config.openshift.io' } };
const unreachable = () => new ApiError('unreachable', 'the connection was cut');

let api: FakeApi;
let reflectors: Reflector[];

beforeEach(() => {
  vi.useFakeTimers();
  api = new FakeApi();
  reflectors = [];
});
afterEach(async () => {
  for (const reflector of reflectors) await reflector.stop();
  expect(api.openWatches).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

interface Reflected {
  readonly reflector: Reflector;
  /** The names at each change. */
  readonly changes: (readonly string[])[];
  readonly faults: (string | undefined)[];
  readonly names: () => readonly string[] | undefined;
}

function reflect(options: Partial<ReflectorOptions> = {}, link: Link = {}): Reflected {
  const faults: (string | undefined)[] = [];
  const changes: string[][] = [];
  const reflector = new Reflector({
    client: api.client(link),
    resource: nodes,
    random: () => 0.5,
    onFault: (fault) => faults.push(fault?.code),
    ...options,
  });
  const names = () => {
    const objects = reflector.current();
    return objects && [...objects.keys()].sort();
  };
  reflector.onChange(() => changes.push([...(names() ?? [])]));
  reflectors.push(reflector);
  reflector.start();
  return { reflector, changes, faults, names };
}

const node = (name: string): KubeObject => ({ metadata: { name } });
const soon = () => vi.advanceTimersByTimeAsync(0);
const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1000);

function listTimes(): number[] {
  return api.calls.filter(({ verb }) => verb === 'list').map(({ at }) => at);
}

function gapsOf(times: readonly number[]): number[] {
  return times.slice(1).map((time, index) => time - times[index]!);
}

describe('while everything works', () => {
  it('knows nothing before the first list, and says when it is synced', async () => {
    api.put(nodes, node('a'));
    const { reflector, names, changes } = reflect();
    expect(reflector.current()).toBeUndefined();
    expect(reflector.status()).toMatchObject({ synced: false, installed: true, lastContact: undefined });

    await reflector.whenSynced();

    expect(names()).toEqual(['a']);
    expect(changes).toEqual([['a']]);
    expect(reflector.status()).toMatchObject({ synced: true, fault: undefined, restarts: 0 });
    expect(reflector.status().lastContact).toBe(Date.now());
  });

  it('is synced and tells so when there are no objects', async () => {
    const { reflector, names, changes } = reflect();
    await reflector.whenSynced();
    expect(names()).toEqual([]);
    expect(changes).toEqual([[]]);
  });

  it('follows what is added, changed and deleted', async () => {
    const { reflector, names } = reflect();
    await soon();
    api.put(nodes, node('a'));
    api.put(nodes, node('b'));
    api.put(nodes, { metadata: { name: 'a', labels: { changed: 'yes' } } });
    api.remove(nodes, { name: 'b' });

    expect(names()).toEqual(['a']);
    expect(reflector.current()?.get('a')?.metadata.labels).toEqual({ changed: 'yes' });
  });

  it('keys objects of a namespace by it, and keeps to its scope', async () => {
    api.put(resources.secrets, { metadata: { namespace: 'one', name: 'pull-secret' } });
    api.put(resources.secrets, { metadata: { namespace: 'two', name: 'pull-secret' } });
    const { names } = reflect({
      resource: resources.secrets,
      scope: { namespace: 'one', name: 'pull-secret' },
    });
    await soon();
    api.put(resources.secrets, { metadata: { namespace: 'one', name: 'other' } });
    expect(names()).toEqual(['one/pull-secret']);
  });

  it('never changes a map that was handed out, and keeps the objects that did not change', async () => {
    api.put(nodes, node('a'));
    const { reflector } = reflect();
    await soon();
    const before = reflector.current()!;
    expect(reflector.current()).toBe(before);

    api.put(nodes, node('b'));
    api.put(nodes, node('c'));

    const after = reflector.current()!;
    expect([...before.keys()]).toEqual(['a']);
    expect([...after.keys()]).toEqual(['a', 'b', 'c']);
    expect(after.get('a')).toBe(before.get('a'));
    api.remove(nodes, { name: 'a' });
    expect([...after.keys()]).toEqual(['a', 'b', 'c']);
    expect([...reflector.current()!.keys()]).toEqual(['b', 'c']);
  });

  it('resumes at once, without a list, a watch that the server ends after its time', async () => {
    const { reflector, names, faults } = reflect();
    await soon();
    // 90 % of 300 s, by the random number of these tests.
    for (let second = 0; second < 270; second += 30) {
      api.bookmark('nodes');
      await seconds(30);
    }
    const { version } = api;
    await soon();
    expect(api.calls.filter(({ verb }) => verb === 'watch').map((call) => call.version)).toEqual([
      '100',
      version,
    ]);
    expect(api.openWatches).toBe(1);
    api.put(nodes, node('a'));
    expect(names()).toEqual(['a']);
    expect(api.count('list')).toBe(1);
    expect(faults).toEqual([]);
    expect(reflector.status().restarts).toBe(0);
  });

  it('ends a watch that the server does not end, and goes on without a fault', async () => {
    const { faults } = reflect();
    await soon();
    api.endWatchesAfter = 1e9;
    api.endWatches();
    await seconds(1);
    const watches = api.count('watch');
    for (let second = 0; second < 310; second += 10) {
      await seconds(10);
      api.bookmark('nodes');
    }
    expect(api.count('watch')).toBe(watches + 1);
    expect(api.openWatches).toBe(1);
    expect(faults).toEqual([]);
  });

  it('lists again after half an hour, and tells of a change only when one was missed', async () => {
    api.endWatchesAfter = 60_000;
    api.put(nodes, node('a'));
    const { names, changes } = reflect();
    await seconds(30 * 60);
    expect(api.count('list')).toBe(2);
    expect(changes).toHaveLength(1);

    // Nobody is told of this one.
    api.stalled = true;
    api.put(nodes, node('missed'));
    api.remove(nodes, { name: 'a' });
    api.bookmark('nodes');
    api.stalled = false;
    api.bookmark('nodes');
    await seconds(28 * 60);

    expect(api.count('list')).toBe(3);
    expect(names()).toEqual(['missed']);
    expect(changes).toHaveLength(2);
  });

  it('tells every listener although one throws, and reports that one', async () => {
    const { reflector } = reflect();
    const reported: unknown[] = [];
    vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((callback) => {
      try {
        callback();
      } catch (error) {
        reported.push(error);
      }
    });
    const fault = new Error('a listener is broken');
    reflector.onChange(() => {
      throw fault;
    });
    let told = 0;
    const forget = reflector.onChange(() => (told += 1));
    await soon();
    api.put(nodes, node('a'));
    expect(told).toBe(2);
    expect(reported).toEqual([fault, fault]);

    forget();
    api.put(nodes, node('b'));
    expect(told).toBe(2);
    vi.restoreAllMocks();
  });
});

describe('when a watch fails', () => {
  it('resumes a cut one from the last version and misses nothing', async () => {
    const { names, faults, reflector } = reflect();
    await soon();
    api.put(nodes, node('a'));
    api.bookmark('nodes');
    const { version } = api;
    api.endWatches(unreachable());
    api.put(nodes, node('b'));
    expect(names()).toEqual(['a']);

    await seconds(1);
    expect(names()).toEqual(['a', 'b']);
    expect(api.calls.at(-1)).toMatchObject({ verb: 'watch', version });
    expect(api.count('list')).toBe(1);
    expect(faults).toEqual(['unreachable']);
    expect(reflector.status()).toMatchObject({ restarts: 1, fault: { code: 'unreachable' } });

    await seconds(2);
    expect(faults).toEqual(['unreachable', undefined]);
    expect(reflector.status().fault).toBeUndefined();
  });

  it('gives up one that has stalled silently, gets what happened meanwhile, and says so', async () => {
    const { names, faults, reflector } = reflect();
    await soon();
    api.stalled = true;
    api.put(nodes, node('a'));
    await seconds(89);
    expect(names()).toEqual([]);
    api.stalled = false;
    await seconds(2);
    expect(names()).toEqual(['a']);
    expect(faults).toEqual(['stalled']);
    expect(reflector.status()).toMatchObject({
      restarts: 1,
      fault: { message: 'watch nodes: nothing came for 90 s, and changes were missed until now' },
    });

    await seconds(2);
    expect(faults).toEqual(['stalled', undefined]);
    api.put(nodes, node('b'));
    expect(names()).toEqual(['a', 'b']);
  });

  it('takes one that has nothing to tell for no fault, and follows what comes later', async () => {
    api.put(nodes, node('a'));
    const { names, changes, faults, reflector } = reflect();
    await seconds(20 * 60);
    expect(faults).toEqual([]);
    expect(reflector.status()).toMatchObject({ restarts: 0, fault: undefined });
    api.put(nodes, node('b'));
    expect(names()).toEqual(['a', 'b']);
    expect(changes).toHaveLength(2);
    expect(faults).toEqual([]);
  });

  it('tells that the server cannot be reached when a new watch stalls as well', async () => {
    const { faults, reflector } = reflect();
    await soon();
    api.stalled = true;
    await seconds(90 + 91);
    expect(faults).toEqual(['unreachable']);
    expect(reflector.status().fault?.message).toContain('no answer in time');
  });

  it.each(['http', 'event'] as const)('lists at once after a 410 as %s, with one change', async (form) => {
    api.goneAs = form;
    api.put(nodes, node('stays'));
    api.put(nodes, node('goes'));
    const { names, changes, faults, reflector } = reflect();
    await seconds(5);
    const stays = reflector.current()!.get('stays');
    api.endWatches(unreachable());
    api.remove(nodes, { name: 'goes' });
    api.put(nodes, node('new'));
    api.compact();
    await vi.advanceTimersByTimeAsync(750);

    expect(names()).toEqual(['new', 'stays']);
    expect(reflector.current()!.get('stays')).toBe(stays);
    expect(changes).toHaveLength(2);
    expect(api.count('list')).toBe(2);
    expect(api.openWatches).toBe(1);
    expect(faults).toEqual(['unreachable', 'gone']);
    await seconds(2);
    expect(faults).toEqual(['unreachable', 'gone', undefined]);
  });

  it('does not hammer a server that always answers 410', async () => {
    const { faults } = reflect(
      {},
      {
        before: (verb) => {
          if (verb === 'watch') throw new ApiError('gone', 'too old resource version');
        },
      },
    );
    await seconds(300);
    const gaps = gapsOf(listTimes());
    expect(gaps[0]).toBe(0);
    expect(gaps.slice(1, 5)).toEqual([750, 1500, 3000, 6000]);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(30_000);
    expect(gaps.at(-1)).toBeGreaterThanOrEqual(15_000);
    expect(faults).toEqual(['gone']);
  });

  it('backs off and resumes after an ERROR event that is no 410', async () => {
    const { names, faults } = reflect();
    await seconds(5);
    const { version } = api;
    api.send('nodes', 'ERROR', { kind: 'Status', code: 500, message: 'etcd is away', metadata: {} });
    api.put(nodes, node('a'));
    await soon();
    expect(api.openWatches).toBe(0);
    expect(names()).toEqual([]);
    await seconds(1);
    expect(names()).toEqual(['a']);
    expect(api.calls.at(-1)).toMatchObject({ verb: 'watch', version });
    expect(api.count('list')).toBe(1);
    expect(faults).toEqual(['server']);
  });

  it.each([
    ['an object without a name', 'ADDED', { metadata: { resourceVersion: '900' } }],
    ['an object without a version', 'MODIFIED', { metadata: { name: 'a' } }],
    ['no object', 'DELETED', null],
    ['a bookmark without a version', 'BOOKMARK', { metadata: {} }],
    ['an unknown type', 'RENAMED', { metadata: { name: 'a', resourceVersion: '900' } }],
  ])('does not believe an event with %s: it lists again', async (_, type, object) => {
    api.put(nodes, node('a'));
    const { names, faults, changes } = reflect();
    await seconds(5);
    api.send('nodes', type as never, object);
    expect(names()).toEqual(['a']);
    await seconds(1);
    expect(api.count('list')).toBe(2);
    expect(api.openWatches).toBe(1);
    expect(changes).toHaveLength(1);
    expect(faults).toEqual(['server']);
    await seconds(2);
    expect(faults).toEqual(['server', undefined]);
  });

  it('backs off within bounds while the server is away, tells once, and starts anew after a watch that lived', async () => {
    let isAway = false;
    const { faults, names, reflector } = reflect(
      {},
      {
        before: () => {
          if (isAway) throw unreachable();
        },
      },
    );
    await seconds(5);
    isAway = true;
    api.endWatches(unreachable());
    const start = api.calls.length;
    await seconds(240);
    const gaps = gapsOf(api.calls.slice(start).map(({ at }) => at));
    expect(gaps.slice(0, 4)).toEqual([1500, 3000, 6000, 12_000]);
    expect(gaps.slice(4).every((gap) => gap >= 15_000 && gap <= 30_000)).toBe(true);
    expect(gaps.length).toBeGreaterThan(8);
    expect(faults).toEqual(['unreachable']);
    expect(names()).toEqual([]);
    expect(reflector.status().restarts).toBeGreaterThan(10);

    isAway = false;
    api.put(nodes, node('a'));
    await seconds(35);
    expect(names()).toEqual(['a']);
    expect(faults).toEqual(['unreachable', undefined]);
    const before = api.count('watch');
    api.endWatches(unreachable());
    await vi.advanceTimersByTimeAsync(750);
    expect(api.count('watch')).toBe(before + 1);
  });

  it('lists after a long outage: the server may come back from a backup, with lower versions', async () => {
    let target = api.client();
    const { names } = reflect({
      client: {
        list: (...args) => target.list(...args),
        watch: (...args) => target.watch(...args),
        get: (...args) => target.get(...args),
      },
    });
    for (let count = 0; count < 50; count += 1) api.put(nodes, node('lost'));
    await seconds(5);
    const away = (): never => {
      throw unreachable();
    };
    target = api.client({ before: away });
    api.endWatches(unreachable());
    await seconds(120);
    expect(names()).toEqual(['lost']);

    const restored = new FakeApi();
    restored.put(nodes, node('old'));
    target = restored.client();
    await seconds(30);
    expect(names()).toEqual(['old']);
    restored.put(nodes, node('new'));
    expect(names()).toEqual(['new', 'old']);
  });

  it('waits as long as the server asks', async () => {
    let refusals = 1;
    reflect(
      {},
      {
        before: (verb) => {
          if (verb === 'list' && refusals-- > 0) {
            throw new ApiError('overloaded', 'too many requests', { retryAfterMs: 7_000 });
          }
        },
      },
    );
    await seconds(30);
    expect(gapsOf(listTimes())).toEqual([7000]);
  });

  it('backs off when the server ends every watch at once, and tells after the third', async () => {
    api.endWatchesAfter = 0;
    const { faults } = reflect();
    await seconds(120);
    const times = api.calls.filter(({ verb }) => verb === 'watch').map(({ at }) => at);
    const gaps = gapsOf(times);
    // Each watch takes up to 1 ms.
    expect(gaps.slice(0, 4).map((gap) => Math.floor(gap / 10) * 10)).toEqual([750, 1500, 3000, 6000]);
    expect(gaps.at(-1)).toBeGreaterThanOrEqual(15_000);
    expect(faults).toEqual(['server']);

    api.endWatchesAfter = undefined;
    await seconds(40);
    expect(faults).toEqual(['server', undefined]);
  });

  it('goes on when who is told of faults throws', async () => {
    const reported: unknown[] = [];
    vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((callback) => {
      try {
        callback();
      } catch (error) {
        reported.push(error);
      }
    });
    const { names } = reflect({
      onFault: () => {
        throw new Error('the log is broken');
      },
    });
    await seconds(1);
    api.endWatches(unreachable());
    api.put(nodes, node('a'));
    await seconds(5);
    expect(names()).toEqual(['a']);
    expect(reported).toHaveLength(2);
    vi.restoreAllMocks();
  });
});

describe('when a list fails', () => {
  it('stays unsynced, tells why, and is synced when it succeeds', async () => {
    let isForbidden = true;
    api.put(nodes, node('a'));
    const { reflector, names, faults } = reflect(
      {},
      {
        before: (verb) => {
          if (verb === 'list' && isForbidden) throw new ApiError('forbidden', 'nodes is forbidden');
        },
      },
    );
    await seconds(20);
    expect(reflector.current()).toBeUndefined();
    expect(reflector.status()).toMatchObject({ synced: false, fault: { code: 'forbidden' } });
    isForbidden = false;
    await seconds(20);
    expect(names()).toEqual(['a']);
    expect(faults).toEqual(['forbidden', undefined]);
  });

  it('tells when the fault becomes another one', async () => {
    let fault = unreachable();
    const { faults } = reflect(
      {},
      {
        before: () => {
          throw fault;
        },
      },
    );
    await seconds(5);
    fault = new ApiError('unauthorized', 'the token has expired');
    await seconds(30);
    expect(faults).toEqual(['unreachable', 'unauthorized']);
  });

  it('does not believe a list with an object that has no name: nothing vanishes', async () => {
    api.put(nodes, node('a'));
    const good = api.client();
    let isBad = false;
    const { names, faults, changes } = reflect({
      client: {
        ...good,
        list: async (...args) => {
          const list = await good.list(...args);
          return isBad ? { ...list, items: [{ metadata: {} } as KubeObject] } : list;
        },
      },
    });
    await seconds(5);
    isBad = true;
    api.compact();
    api.endWatches(unreachable());
    await seconds(20);
    expect(names()).toEqual(['a']);
    expect(faults).toEqual(['unreachable', 'gone', 'server']);
    isBad = false;
    await seconds(40);
    expect(faults.at(-1)).toBeUndefined();
    expect(changes).toHaveLength(1);
  });

  it('takes an object that was made anew under the same name for another one', async () => {
    api.put(nodes, node('a'));
    const { reflector, changes } = reflect();
    await seconds(5);
    const before = reflector.current()!.get('a')!;
    api.compact();
    api.stalled = true;
    api.remove(nodes, { name: 'a' });
    api.put(nodes, node('a'));
    api.compact();
    api.stalled = false;
    api.endWatches(unreachable());
    await seconds(5);
    expect(reflector.current()!.get('a')!.metadata.uid).not.toBe(before.metadata.uid);
    expect(changes).toHaveLength(2);
  });
});

describe('when the kind is not served', () => {
  it('knows that there are none when its definition is not there either, and sees it installed later', async () => {
    api.unserved.add(mirrorSets.plural);
    const { reflector, names, changes, faults } = reflect({ resource: mirrorSets });
    await soon();
    expect(names()).toEqual([]);
    expect(reflector.status()).toMatchObject({ synced: true, installed: false, fault: undefined });
    await seconds(600);
    expect(Math.max(...gapsOf(listTimes()))).toBeLessThanOrEqual(30_000);
    expect(api.count('list')).toBeLessThan(40);
    expect(changes).toEqual([[]]);

    api.put(customResourceDefinitions, definition);
    api.unserved.delete(mirrorSets.plural);
    api.put(mirrorSets, node('set'));
    for (let tenths = 0; api.openWatches === 0 && tenths < 300; tenths += 1) await seconds(0.1);
    expect(names()).toEqual(['set']);
    expect(reflector.status().installed).toBe(true);
    expect(faults).toEqual([]);
    // How often it was asked for before counts no more.
    api.endWatches(unreachable());
    await seconds(1);
    expect(api.openWatches).toBe(1);
  });

  it('tells that the kind was installed although there are no objects', async () => {
    api.unserved.add(mirrorSets.plural);
    const { changes } = reflect({ resource: mirrorSets });
    await seconds(1);
    api.unserved.delete(mirrorSets.plural);
    await seconds(5);
    expect(changes).toEqual([[], []]);
  });

  it('waits, unsynced, while its definition is there: the server has not loaded it yet', async () => {
    api.put(customResourceDefinitions, definition);
    api.put(mirrorSets, node('set'));
    api.unserved.add(mirrorSets.plural);
    const { reflector, names, faults } = reflect({ resource: mirrorSets });
    await seconds(3);
    expect(reflector.current()).toBeUndefined();
    expect(reflector.status()).toMatchObject({ synced: false, installed: true });
    expect(faults).toEqual(['server']);
    expect(reflector.status().fault?.message).toContain('config.openshift.io/v1 is not served (yet)');
    api.unserved.clear();
    await seconds(6);
    expect(names()).toEqual(['set']);
    expect(faults).toEqual(['server', undefined]);
  });

  it('keeps what it knows while a server that starts does not serve the kind yet', async () => {
    api.put(customResourceDefinitions, definition);
    api.put(mirrorSets, node('set'));
    const { names, changes } = reflect({ resource: mirrorSets });
    await seconds(5);
    api.unserved.add(mirrorSets.plural);
    api.endWatches(unreachable());
    await seconds(120);
    expect(names()).toEqual(['set']);
    api.unserved.clear();
    await seconds(40);
    expect(names()).toEqual(['set']);
    expect(changes).toHaveLength(1);
  });

  it('lets go of what it knew once the definition is gone', async () => {
    api.put(customResourceDefinitions, definition);
    api.put(mirrorSets, node('set'));
    const { names, changes, faults, reflector } = reflect({ resource: mirrorSets });
    await seconds(5);
    api.unserved.add(mirrorSets.plural);
    api.remove(customResourceDefinitions, definition.metadata);
    api.endWatches();
    await seconds(1);
    expect(names()).toEqual([]);
    expect(changes).toEqual([['set'], []]);
    expect(reflector.status().installed).toBe(false);
    expect(faults).toEqual([]);
  });

  it.each(['forbidden', 'unreachable', 'server'] as const)(
    'takes nothing away when the definition cannot be read: %s',
    async (code) => {
      api.put(mirrorSets, node('set'));
      const { names, faults, reflector } = reflect(
        { resource: mirrorSets },
        {
          before: (verb) => {
            if (verb === 'get') throw new ApiError(code, 'get CustomResourceDefinition: no');
          },
        },
      );
      await seconds(5);
      api.unserved.add(mirrorSets.plural);
      api.endWatches();
      await seconds(60);
      expect(names()).toEqual(['set']);
      expect(reflector.status().installed).toBe(true);
      expect(faults).toEqual([code]);
    },
  );

  it('is a fault for a kind of the API server itself, and asks for no definition', async () => {
    api.unserved.add(nodes.plural);
    const { reflector, faults } = reflect();
    await seconds(10);
    expect(reflector.current()).toBeUndefined();
    expect(faults).toEqual(['not-found']);
    expect(api.count('get')).toBe(0);
  });
});

describe('when it is stopped', () => {
  const never = () => new Promise<void>(() => undefined);

  it.each(['list', 'watch', 'get'] as const)('ends a %s under way', async (verb) => {
    if (verb === 'get') api.unserved.add(mirrorSets.plural);
    const { reflector, changes, faults } = reflect(
      { resource: mirrorSets },
      { before: (asked) => (asked === verb ? never() : undefined) },
    );
    await soon();
    const before = changes.length;
    let isSynced = false;
    void reflector.whenSynced().then(() => (isSynced = true));
    await reflector.stop();
    expect(isSynced).toBe(true);
    await seconds(3600);
    expect(changes).toHaveLength(before);
    expect(faults).toEqual([]);
    expect(api.calls.filter((call) => call.verb === verb)).toHaveLength(1);
  });

  it('ends a wait, and begins nothing more', async () => {
    const { reflector } = reflect(
      {},
      {
        before: () => {
          throw unreachable();
        },
      },
    );
    await seconds(3);
    const calls = api.calls.length;
    await reflector.stop();
    await reflector.stop();
    reflector.start();
    await seconds(3600);
    expect(api.calls).toHaveLength(calls);
  });

  it('calls nobody any more, even where a listener stops it', async () => {
    const { reflector, faults } = reflect();
    const told: string[] = [];
    reflector.onChange(() => {
      told.push('first');
      void reflector.stop();
    });
    reflector.onChange(() => told.push('second'));
    await soon();
    api.put(nodes, node('a'));
    api.endWatches(unreachable());
    await seconds(60);
    expect(told).toEqual(['first']);
    expect(faults).toEqual([]);
  });

  it('may be stopped before it was started', async () => {
    const reflector = new Reflector({ client: api.client(), resource: nodes });
    await reflector.stop();
    reflector.start();
    await reflector.whenSynced();
    expect(api.calls).toEqual([]);
  });
});
