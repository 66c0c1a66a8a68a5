import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  apiServerAdmission,
  ownAdmission,
  type AdmittedStore,
} from '../../../src/controller/admission-control.js';
import {
  Controller,
  type ControllerOptions,
  type Courier,
  type Reconciliation,
} from '../../../src/controller/controller.js';
import type { MirrorSetSnapshot, Source } from '../../../src/controller/sources.js';
import type { TargetNode } from '../../../src/distribution/target-node.js';
import type { DesiredState } from '../../../src/hosts/desired-state.js';
import { keyOf, type MirrorSet } from '../../../src/mirrors/mirror-set.js';
import { defaultPolicy, type MirrorPolicy } from '../../../src/policy/policy.js';
import { idms, itms } from '../mirror-sets.js';

/** A source whose value the test sets. */
class FakeSource<T> implements Source<T> {
  readonly #listeners = new Set<() => void>();
  #value: T | undefined;

  constructor(value?: T) {
    this.#value = value;
  }

  current(): T | undefined {
    return this.#value;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(value: T | undefined): void {
    this.#value = value;
    for (const listener of this.#listeners) listener();
  }

  get followers(): number {
    return this.#listeners.size;
  }
}

class FakeFleet {
  readonly calls: string[] = [];
  desired: DesiredState | undefined;
  nodes: readonly TargetNode[] | undefined;

  setDesired(desired: DesiredState): void {
    this.calls.push('setDesired');
    this.desired = desired;
  }

  setNodes(nodes: readonly TargetNode[]): void {
    this.calls.push('setNodes');
    this.nodes = nodes;
  }

  get registries(): string[] {
    return [...(this.desired?.files.keys() ?? [])];
  }
}

/** Remembers in memory. */
class FakeStore implements AdmittedStore {
  sets: readonly MirrorSet[];
  readonly load = vi.fn(() => Promise.resolve(this.sets));
  readonly save = vi.fn((sets: readonly MirrorSet[]) => {
    this.sets = sets;
    return Promise.resolve();
  });

  constructor(sets: readonly MirrorSet[] = []) {
    this.sets = sets;
  }
}

const quietMs = 500;
const quay = idms('quay', [['quay.io/org/image', ['mirror.local/org/image']]]);
const hub = idms('hub', [['docker.io/library/nginx', ['mirror.local/library/nginx']]]);
const misnamed = idms('quay', [['quay.io/org/image', ['mirror.local/other']]]);
const node: TargetNode = {
  name: 'win-1',
  address: '192.0.2.1',
  port: 22,
  username: 'Administrator',
  privateKey: 'key',
  root: 'C:\\k\\containerd\\registries',
};
const password = 'not-a-real-password';
const pullSecret = JSON.stringify({ auths: { 'mirror.local': { username: 'someone', password } } });
const authorization = `Basic ${Buffer.from(`someone:${password}`).toString('base64')}`;

function snapshot(sets: readonly MirrorSet[], more: Partial<MirrorSetSnapshot> = {}): MirrorSetSnapshot {
  return { sets, insecureRegistries: [], complete: true, ...more };
}

/** A controller with everything around it; what a test does not name is known from the start. */
function makeController(given: Partial<ControllerOptions> & { readonly store?: FakeStore } = {}) {
  const { store = new FakeStore(), ...options } = given;
  const mirrorSets = new FakeSource<MirrorSetSnapshot>(snapshot([quay]));
  const nodes = new FakeSource<readonly TargetNode[]>([node]);
  const policy = new FakeSource<MirrorPolicy>(defaultPolicy());
  const fleet = new FakeFleet();
  const results: Reconciliation[] = [];
  const faults: unknown[] = [];
  const controller = new Controller({
    mirrorSets,
    nodes,
    policy,
    admission: ownAdmission(store),
    courier: fleet,
    now: () => new Date('2027-01-15T12:00:00Z'),
    onReconciled: (result) => results.push(result),
    onFault: (error) => faults.push(error),
    quietMs,
    ...options,
  });
  return { controller, mirrorSets, nodes, policy, fleet, store, results, faults };
}

describe('Controller', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('judges, renders and hands to the fleet at the start: the state first, then the nodes', async () => {
    const { controller, fleet, results, store } = makeController();
    expect(controller.index()).toBeUndefined();
    await controller.start();

    expect(fleet.calls).toEqual(['setDesired', 'setNodes']);
    expect(fleet.registries).toEqual(['quay.io']);
    expect(fleet.nodes).toEqual([node]);
    expect(results).toHaveLength(1);
    expect(results[0]).toMatchObject({ nodes: 1, insecureFaults: [], admission: { admitted: [quay] } });
    expect(store.sets).toEqual([quay]);
    expect([...(controller.index()?.registries() ?? [])]).toEqual(['quay.io']);
  });

  it('keeps a denied set from the nodes', async () => {
    const { controller, mirrorSets, fleet, results } = makeController();
    mirrorSets.set(snapshot([misnamed, hub]));
    await controller.start();
    expect(fleet.registries).toEqual(['docker.io']);
    expect(results[0]?.admission.verdicts.map(({ outcome }) => outcome)).toEqual(['admitted', 'kept-out']);
  });

  it('says which insecure registries are no reference, and uses the others', async () => {
    const { controller, mirrorSets, fleet, results } = makeController();
    mirrorSets.set(snapshot([quay], { insecureRegistries: ['mirror.local', 'https://wrong'] }));
    await controller.start();
    expect(results[0]?.insecureFaults.map(({ text }) => text)).toEqual(['https://wrong']);
    expect(fleet.desired?.files.get('quay.io')).toContain('skip_verify = true');
    expect(
      controller.insecure().includes({ wildcard: false, host: 'mirror.local', port: undefined, path: [] }),
    ).toBe(true);
  });

  describe('while something is not known yet', () => {
    it.each(['mirrorSets', 'nodes', 'policy', 'pullSecret'] as const)(
      'hands nothing to the fleet: %s',
      async (unknown) => {
        const secret = new FakeSource<string | null>(pullSecret);
        const { controller, fleet, results, store, ...sources } = makeController({
          pullSecret: secret,
          store: new FakeStore([hub]),
        });
        const late = { ...sources, pullSecret: secret }[unknown] as FakeSource<unknown>;
        const value = late.current();
        late.set(undefined);

        await controller.start();
        expect(fleet.calls).toEqual([]);
        expect(results).toEqual([]);
        expect(store.save).not.toHaveBeenCalled();
        expect(controller.index()).toBeUndefined();

        late.set(value);
        await vi.advanceTimersByTimeAsync(quietMs);
        expect(fleet.calls).toEqual(['setDesired', 'setNodes']);
        expect(fleet.desired?.files.get('quay.io')).toContain(authorization);
      },
    );

    it('takes an empty value for what it says', async () => {
      const { controller, mirrorSets, nodes, fleet } = makeController({ store: new FakeStore([quay]) });
      mirrorSets.set(snapshot([]));
      nodes.set([]);
      await controller.start();
      expect(fleet.registries).toEqual([]);
      expect(fleet.nodes).toEqual([]);
    });

    it('keeps in force what is not named in an incomplete snapshot, and takes up the rest', async () => {
      const { controller, mirrorSets, fleet, results } = makeController({ store: new FakeStore([quay]) });
      mirrorSets.set(snapshot([hub], { complete: false }));
      await controller.start();
      expect(fleet.registries).toEqual(['docker.io', 'quay.io']);
      expect(
        results[0]?.admission.verdicts.map(({ review, outcome }) => [keyOf(review.set), outcome]),
      ).toEqual([
        ['ImageDigestMirrorSet/hub', 'admitted'],
        ['ImageDigestMirrorSet/quay', 'admitted'],
      ]);

      mirrorSets.set(snapshot([hub]));
      await vi.advanceTimersByTimeAsync(quietMs);
      expect(fleet.registries).toEqual(['docker.io']);
    });
  });

  describe('credentials', () => {
    it('renders none where there is no pull secret source, and none where it says that there is none', async () => {
      for (const source of [undefined, new FakeSource<string | null>(null)]) {
        const { controller, fleet, results } = makeController({ pullSecret: source });
        await controller.start();
        expect(fleet.desired?.files.get('quay.io')).not.toContain('Authorization');
        expect(results[0]?.rendered.findings).toEqual([]);
      }
    });

    it('leaves them out when the policy says so, and does not wait for the pull secret then', async () => {
      const secret = new FakeSource<string | null>();
      const { controller, policy, fleet } = makeController({ pullSecret: secret });
      policy.set({ ...defaultPolicy(), credentials: false });
      await controller.start();
      expect(fleet.registries).toEqual(['quay.io']);

      secret.set(pullSecret);
      await vi.advanceTimersByTimeAsync(quietMs);
      expect(fleet.desired?.files.get('quay.io')).not.toContain('Authorization');

      policy.set(defaultPolicy());
      await vi.advanceTimersByTimeAsync(quietMs);
      expect(fleet.desired?.files.get('quay.io')).toContain(authorization);
    });
  });

  describe('changes', () => {
    it('makes one run of a burst over all sources', async () => {
      const { controller, mirrorSets, nodes, policy, fleet, results } = makeController();
      await controller.start();
      for (let count = 0; count < 20; count += 1) {
        mirrorSets.set(snapshot(count % 2 === 0 ? [quay, hub] : [hub]));
        nodes.set([node, { ...node, name: `win-${count}` }]);
        policy.set(defaultPolicy());
        await vi.advanceTimersByTimeAsync(20);
      }
      await vi.advanceTimersByTimeAsync(10 * quietMs);
      expect(results).toHaveLength(2);
      expect(fleet.registries).toEqual(['docker.io']);
      expect(fleet.nodes).toHaveLength(2);
    });

    it('makes one more run, and not more, for changes during a run, which then sees the newest', async () => {
      const store = new FakeStore();
      const { controller, mirrorSets, fleet, results } = makeController({ store });
      await controller.start();
      let endSave: () => void = () => undefined;
      store.save.mockImplementationOnce(
        () =>
          new Promise((resolve) => {
            endSave = resolve;
          }),
      );
      mirrorSets.set(snapshot([quay, hub]));
      await vi.advanceTimersByTimeAsync(quietMs);
      expect(results).toHaveLength(2);

      // The run is held up in `save`.
      mirrorSets.set(snapshot([hub]));
      await vi.advanceTimersByTimeAsync(quietMs);
      mirrorSets.set(snapshot([]));
      await vi.advanceTimersByTimeAsync(quietMs);
      expect(results).toHaveLength(2);

      endSave();
      await vi.advanceTimersByTimeAsync(10 * quietMs);
      expect(results).toHaveLength(3);
      expect(fleet.registries).toEqual([]);
      expect(store.sets).toEqual([]);
    });
  });

  describe('faults', () => {
    it('reports a store that cannot save, and distributes all the same', async () => {
      const store = new FakeStore();
      store.save.mockRejectedValue(new Error('disk full'));
      const { controller, mirrorSets, fleet, faults, results } = makeController({ store });
      await controller.start();
      expect(faults).toEqual([new Error('disk full')]);
      expect(fleet.registries).toEqual(['quay.io']);

      mirrorSets.set(snapshot([hub]));
      await vi.advanceTimersByTimeAsync(quietMs);
      expect(fleet.registries).toEqual(['docker.io']);
      expect(results).toHaveLength(2);
      expect(faults).toHaveLength(2);
    });

    it('leaves the last state in force when a run breaks off, and goes on with the next change', async () => {
      let isBroken = false;
      const policy: Source<MirrorPolicy> = {
        current: () => {
          const usual = defaultPolicy();
          if (!isBroken) return usual;
          // Makes rendering throw: no reference has such a shape.
          return { ...usual, view: { ...usual.view, linuxOnlySources: [null as never] } };
        },
        onChange: () => () => undefined,
      };
      const { controller, mirrorSets, fleet, faults, store } = makeController({ policy });
      await controller.start();
      const [desired, index] = [fleet.desired, controller.index()];

      isBroken = true;
      mirrorSets.set(snapshot([hub]));
      await vi.advanceTimersByTimeAsync(quietMs);
      expect(faults).toHaveLength(1);
      expect(fleet.desired).toBe(desired);
      expect(controller.index()).toBe(index);
      expect(store.sets).toEqual([quay]);

      isBroken = false;
      mirrorSets.set(snapshot([hub]));
      await vi.advanceTimersByTimeAsync(quietMs);
      expect(faults).toHaveLength(1);
      expect(fleet.registries).toEqual(['docker.io']);
      expect(store.sets).toEqual([hub]);
    });

    it('does not start when what was in force cannot be read', async () => {
      const store = new FakeStore();
      store.load.mockRejectedValue(new Error('broken'));
      const { controller, fleet, mirrorSets } = makeController({ store });
      await expect(controller.start()).rejects.toThrow('broken');
      expect(fleet.calls).toEqual([]);
      expect(mirrorSets.followers).toBe(0);
    });
  });

  describe('a restart', () => {
    it('has the last good version of a set in force that is denied now', async () => {
      const store = new FakeStore();
      const before = makeController({ store });
      await before.controller.start();
      before.mirrorSets.set(snapshot([misnamed]));
      await vi.advanceTimersByTimeAsync(quietMs);
      await before.controller.stop();

      const after = makeController({ store });
      after.mirrorSets.set(snapshot([misnamed]));
      await after.controller.start();
      expect(after.fleet.desired?.revision).toBe(before.fleet.desired?.revision);
      expect(after.fleet.registries).toEqual(['quay.io']);
      expect(after.results[0]?.admission.verdicts[0]?.outcome).toBe('last-good-kept');
    });

    it('does not deny what was in force before a policy became stricter', async () => {
      const byTag = itms('by-tag', [['quay.io/org/image', ['mirror.local/org/image']]]);
      const { controller, mirrorSets, policy, fleet } = makeController({ store: new FakeStore([byTag]) });
      mirrorSets.set(snapshot([byTag]));
      policy.set(defaultPolicy('restricted'));
      await controller.start();
      expect(fleet.registries).toEqual(['quay.io']);
    });
  });

  describe('stop', () => {
    it('waits for the run under way, makes no more, and follows nothing any longer', async () => {
      const store = new FakeStore();
      const { controller, mirrorSets, nodes, policy, results } = makeController({ store });
      await controller.start();
      let endSave: () => void = () => undefined;
      store.save.mockImplementationOnce(
        () =>
          new Promise((resolve) => {
            endSave = resolve;
          }),
      );
      void controller.reconcile();
      await vi.advanceTimersByTimeAsync(0);
      void controller.reconcile();
      mirrorSets.set(snapshot([hub]));

      let isStopped = false;
      const stopping = controller.stop().then(() => {
        isStopped = true;
      });
      await vi.advanceTimersByTimeAsync(10 * quietMs);
      expect(isStopped).toBe(false);
      endSave();
      await stopping;

      expect(results).toHaveLength(2);
      expect([mirrorSets.followers, nodes.followers, policy.followers]).toEqual([0, 0, 0]);
      await controller.reconcile();
      await vi.advanceTimersByTimeAsync(10 * quietMs);
      expect(results).toHaveLength(2);
    });

    it('keeps a start that is under way from following anything', async () => {
      const { controller, mirrorSets, fleet } = makeController();
      const starting = controller.start();
      await controller.stop();
      await starting;
      expect(mirrorSets.followers).toBe(0);
      expect(fleet.calls).toEqual([]);
    });
  });

  describe('a courier that takes announcements', () => {
    function announcing() {
      const calls: string[] = [];
      const courier: Courier = {
        announce: (revision) => calls.push(`announce ${revision.slice(0, 8)}`),
        setDesired: ({ revision }) => void calls.push(`desired ${revision.slice(0, 8)}`),
        setNodes: () => undefined,
      };
      return { calls, ...makeController({ courier, admission: apiServerAdmission }) };
    }

    it('is told of another revision at once, and once a burst, before the state is handed over', async () => {
      const { controller, mirrorSets, calls } = announcing();
      await controller.start();
      calls.length = 0;

      mirrorSets.set(snapshot([quay, hub]));
      expect(calls).toEqual([expect.stringMatching(/^announce /)]);
      mirrorSets.set(snapshot([hub]));
      expect(calls).toHaveLength(1);

      await vi.advanceTimersByTimeAsync(quietMs);
      expect(calls).toEqual([expect.stringMatching(/^announce /), expect.stringMatching(/^desired /)]);
      mirrorSets.set(snapshot([quay]));
      expect(calls.at(-1)).toMatch(/^announce /);
    });

    it('is told nothing where nodes, or what does not reach Windows, change', async () => {
      const { controller, mirrorSets, nodes, calls } = announcing();
      await controller.start();
      calls.length = 0;
      nodes.set([]);
      mirrorSets.set(snapshot([{ ...quay, labels: { team: 'a' } }]));
      expect(calls).toEqual([]);
    });

    it('is told of nothing before everything is known', async () => {
      const { controller, policy, mirrorSets, calls } = announcing();
      policy.set(undefined);
      await controller.start();
      mirrorSets.set(snapshot([hub]));
      expect(calls).toEqual([]);
    });
  });

  it('takes what an API server holds as it is, and waits for a courier that prepares its nodes', async () => {
    let prepared: () => void = () => undefined;
    const steps: string[] = [];
    const courier: Courier = {
      setDesired: () =>
        new Promise((resolve) => {
          steps.push('desired');
          prepared = resolve;
        }),
      setNodes: () => steps.push('nodes'),
    };
    const { controller, mirrorSets, results } = makeController({ courier, admission: apiServerAdmission });
    mirrorSets.set(snapshot([misnamed]));
    const started = controller.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(steps).toEqual(['desired']);
    prepared();
    await started;
    expect(steps).toEqual(['desired', 'nodes']);
    expect(results[0]?.admission).toEqual({ admitted: [misnamed], verdicts: [] });
  });
});
