import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { KubeClient } from '../../src/cluster/kube-client.js';
import { resources, type KubeObject } from '../../src/cluster/kube-object.js';
import { Reflector, type ReflectorOptions } from '../../src/cluster/reflector.js';
import { startFaultyProxy, type FaultyProxy } from './faulty-proxy.js';
import { startKubeSite, type KubeSite } from './kube-site.js';

const { configMaps, imageDigestMirrorSets: mirrorSets } = resources;
const patience = { timeout: 90_000, interval: 50 };
/** Faults are met often and noticed soon; what they lead to is the same. */
const timings: ReflectorOptions['timings'] = {
  livedMs: 500,
  backoff: { shortest: 100, longest: 1_000 },
};

interface Reflected {
  readonly reflector: Reflector;
  readonly faults: (string | undefined)[];
  /** The names at each change. */
  readonly changes: (readonly string[])[];
  readonly names: () => readonly string[] | undefined;
}

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const part of running.splice(0)) await part.stop();
});

function reflect(client: KubeClient, options: Partial<ReflectorOptions> = {}): Reflected {
  const faults: (string | undefined)[] = [];
  const changes: (readonly string[])[] = [];
  const reflector = new Reflector({
    client,
    resource: mirrorSets,
    timings,
    onFault: (fault) => faults.push(fault?.code),
    ...options,
  });
  const names = () => {
    const objects = reflector.current();
    return objects && [...objects.keys()].sort();
  };
  reflector.onChange(() => changes.push(names() ?? []));
  running.push(reflector);
  reflector.start();
  return { reflector, faults, changes, names };
}

async function proxied(site: KubeSite): Promise<{ proxy: FaultyProxy; client: KubeClient }> {
  const proxy = await startFaultyProxy({ port: site.apiPort });
  running.push(proxy);
  const server = `https://127.0.0.1:${proxy.port}`;
  return { proxy, client: await site.client(await site.kubeconfigFor('admin', { server })) };
}

function mirrorSet(name: string): KubeObject {
  return {
    apiVersion: mirrorSets.apiVersion,
    kind: mirrorSets.kind,
    metadata: { name },
    spec: { imageDigestMirrors: [{ source: 'quay.io/org/app', mirrors: ['mirror.example/org/app'] }] },
  };
}

function eventually(check: () => void): Promise<void> {
  return vi.waitFor(check, patience);
}

describe('on a real API server', () => {
  let site: KubeSite;
  let admin: KubeClient;
  beforeAll(async () => {
    site = await startKubeSite();
    admin = await site.client();
  });
  afterAll(() => site.stop());

  test('a kind that is not installed has no objects; once installed it is followed, without a restart', async () => {
    const { reflector, names, changes, faults } = reflect(admin);
    await reflector.whenSynced();
    expect(names()).toEqual([]);
    expect(reflector.status()).toMatchObject({ synced: true, installed: false, fault: undefined });

    await site.installCrds('mirror-sets');
    await eventually(() => {
      expect(reflector.status().installed).toBe(true);
    });
    await admin.create(mirrorSets, mirrorSet('first'));
    await eventually(() => {
      expect(names()).toEqual(['first']);
    });
    expect(changes).toEqual([[], [], ['first']]);
    // Between its definition and its service a kind may be seen as not served yet: nothing else may be amiss.
    expect(new Set(faults)).toSatisfy((seen: Set<string | undefined>) =>
      [...seen].every((code) => code === 'server' || code === undefined),
    );
  });

  test('1,000 objects are known after the first list, and a burst of changes is followed', async () => {
    const object = (index: number, value: string): KubeObject => ({
      apiVersion: configMaps.apiVersion,
      kind: configMaps.kind,
      metadata: { namespace: 'mirrorgate', name: `map-${index}` },
      data: { value },
    });
    const inTurn = async (count: number, work: (index: number) => Promise<unknown>) => {
      let next = 0;
      await Promise.all(
        Array.from({ length: 16 }, async () => {
          while (next < count) await work(next++);
        }),
      );
    };
    await inTurn(1000, (index) => admin.create(configMaps, object(index, 'old')));

    const scope = { namespace: 'mirrorgate' };
    const { reflector, faults } = reflect(admin, { resource: configMaps, scope });
    await reflector.whenSynced();
    expect(reflector.current()?.size).toBe(1000);
    const before = reflector.current();

    await inTurn(100, (index) => admin.remove(configMaps, object(index, '').metadata));
    await inTurn(100, (index) =>
      admin.patch(configMaps, object(500 + index, '').metadata, 'merge', { data: { value: 'new' } }),
    );
    const versionsOf = (objects: Iterable<KubeObject>) =>
      [...objects].map(({ metadata }) => `${metadata.name} ${String(metadata.resourceVersion)}`).sort();
    const wanted = versionsOf((await admin.list(configMaps, scope)).items);
    expect(wanted).toHaveLength(900);
    await eventually(() => {
      expect(versionsOf(reflector.current()?.values() ?? [])).toEqual(wanted);
    });
    expect(before?.size).toBe(1000);
    expect(faults).toEqual([]);
  });

  describe('with faults on the way', () => {
    beforeEach(async () => {
      await site.installCrds('mirror-sets');
      for (const { metadata } of (await admin.list(mirrorSets)).items)
        await admin.remove(mirrorSets, metadata);
      await admin.create(mirrorSets, mirrorSet('stays'));
      await admin.create(mirrorSets, mirrorSet('goes'));
    });

    test('a connection that is cut costs nothing but a moment', async () => {
      const { proxy, client } = await proxied(site);
      const { reflector, names, faults, changes } = reflect(client);
      await reflector.whenSynced();
      proxy.refuse();
      await eventually(() => {
        expect(faults).toEqual(['unreachable']);
      });
      await admin.remove(mirrorSets, { name: 'goes' });
      await admin.create(mirrorSets, mirrorSet('new'));
      proxy.resume();
      await eventually(() => {
        expect(names()).toEqual(['new', 'stays']);
        expect(faults).toEqual(['unreachable', undefined]);
      });
      expect(changes[0]).toEqual(['goes', 'stays']);
      expect(changes.every((change) => change.includes('stays'))).toBe(true);
      expect(reflector.status().restarts).toBeGreaterThan(0);
    });

    test('a connection that stalls without a word is noticed, and nothing is lost', async () => {
      const { proxy, client } = await proxied(site);
      const { reflector, names, faults } = reflect(client, {
        timings: { ...timings, idleMs: 5_000 },
      });
      await reflector.whenSynced();
      proxy.stall();
      await admin.remove(mirrorSets, { name: 'goes' });
      await admin.create(mirrorSets, mirrorSet('new'));
      await eventually(() => {
        expect(faults).toEqual(['unreachable']);
      });
      expect(names()).toEqual(['goes', 'stays']);
      expect(reflector.status().fault?.message).toContain('no answer in time');
      proxy.resume();
      await eventually(() => {
        expect(names()).toEqual(['new', 'stays']);
      });
    });

    test('an API server that goes and comes back takes nothing away, while it starts neither', async () => {
      const { reflector, names, faults, changes } = reflect(admin, {
        // It is asked all through its start, when it does not serve custom resources yet.
        timings: { ...timings, backoff: { shortest: 5, longest: 20 } },
      });
      await reflector.whenSynced();
      await site.stopApiServer();
      await eventually(() => {
        expect(faults).toEqual(['unreachable']);
      });
      expect(names()).toEqual(['goes', 'stays']);
      await site.startApiServer();
      await admin.remove(mirrorSets, { name: 'goes' });
      await eventually(() => {
        expect(names()).toEqual(['stays']);
        expect(reflector.status().fault).toBeUndefined();
      });
      expect(changes).toEqual([['goes', 'stays'], ['stays']]);
      expect(reflector.status().installed).toBe(true);
    });

    test('a definition that is deleted takes its objects away', async () => {
      const { reflector, names } = reflect(admin);
      await reflector.whenSynced();
      await site.kubectl(['delete', 'crd', 'imagedigestmirrorsets.config.openshift.io', '--wait=true']);
      await eventually(() => {
        expect(names()).toEqual([]);
        expect(reflector.status().installed).toBe(false);
      });
      await site.installCrds('mirror-sets');
      await admin.create(mirrorSets, mirrorSet('again'));
      await eventually(() => {
        expect(names()).toEqual(['again']);
      });
    });

    test('a stop ends the watch, and nothing is heard of afterwards', async () => {
      const { reflector, changes, faults } = reflect(admin);
      await reflector.whenSynced();
      const other = reflect(admin);
      await other.reflector.whenSynced();
      await reflector.stop();
      const before = changes.length;
      await admin.create(mirrorSets, mirrorSet('new'));
      await eventually(() => {
        expect(other.names()).toContain('new');
      });
      expect(changes).toHaveLength(before);
      expect(faults).toEqual([]);
    });
  });
});

describe('after a compaction of etcd', () => {
  let site: KubeSite;
  let admin: KubeClient;
  beforeAll(async () => {
    // Watches that are answered out of etcd feel it at once.
    site = await startKubeSite({ watchCache: false });
    await site.installCrds('mirror-sets');
    admin = await site.client();
  });
  afterAll(() => site.stop());

  test('a watch from a forgotten version is answered with 410, and what happened meanwhile is known', async () => {
    await admin.create(mirrorSets, mirrorSet('stays'));
    await admin.create(mirrorSets, mirrorSet('goes'));
    const { proxy, client } = await proxied(site);
    const { reflector, names, faults, changes } = reflect(client, {
      // A long outage would lead to a list anyway: this one is short.
      timings: { ...timings, backoff: { shortest: 5_000, longest: 5_000 } },
    });
    await reflector.whenSynced();
    proxy.refuse();
    await eventually(() => {
      expect(faults).toEqual(['unreachable']);
    });
    await admin.remove(mirrorSets, { name: 'goes' });
    await admin.create(mirrorSets, mirrorSet('new'));
    await site.compactEtcd();
    proxy.resume();
    await eventually(() => {
      expect(names()).toEqual(['new', 'stays']);
    });
    expect(changes).toEqual([
      ['goes', 'stays'],
      ['new', 'stays'],
    ]);
    await eventually(() => {
      expect(faults).toEqual(['unreachable', 'gone', undefined]);
    });
    await admin.create(mirrorSets, mirrorSet('later'));
    await eventually(() => {
      expect(names()).toEqual(['later', 'new', 'stays']);
    });
  });
});
