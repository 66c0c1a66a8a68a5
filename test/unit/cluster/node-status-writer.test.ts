import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../../../src/cluster/api-error.js';
import type { KubeClient } from '../../../src/cluster/kube-client.js';
import type { KubeObject } from '../../../src/cluster/kube-object.js';
import { conditionOf, revisionOf } from '../../../src/cluster/node-condition.js';
import { NodeStatusWriter, type NodeStanding } from '../../../src/cluster/node-status-writer.js';
import { systemClock } from '../../../src/distribution/clock.js';
import { HeldObjects } from './held-objects.js';

interface NodePatch {
  readonly metadata?: { readonly annotations: Readonly<Record<string, string>> };
  readonly status: { readonly conditions: readonly Record<string, string>[] };
}

/** Nodes behind an API server, and what mirrorgate sees of them: nothing newer until `see` is called. */
class Site {
  readonly seen = new HeldObjects();
  readonly patches: { readonly name: string; readonly patch: NodePatch }[] = [];
  readonly faults: (string | undefined)[] = [];
  readonly writer: NodeStatusWriter;
  /** Awaited before a patch is taken; rejects to refuse it. */
  before: (name: string) => Promise<void> | void = () => undefined;
  underWay = 0;
  mostUnderWay = 0;
  readonly #nodes = new Map<string, KubeObject>();
  #version = 100;

  constructor(names: readonly string[], options: { readonly concurrency?: number } = {}) {
    for (const name of names) this.change(name, {});
    this.see();
    const client: Pick<KubeClient, 'patch'> = {
      patch: async (resource, key, type, patch) => {
        expect([resource.plural, key.subresource, type]).toEqual(['nodes', 'status', 'strategic']);
        this.underWay += 1;
        this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
        try {
          await this.before(key.name);
          if (!this.#nodes.has(key.name)) throw new ApiError('not-found', 'no such node');
          this.patches.push({ name: key.name, patch: patch as NodePatch });
          return this.change(key.name, patch);
        } finally {
          this.underWay -= 1;
        }
      },
    };
    this.writer = new NodeStatusWriter({
      client,
      nodes: this.seen,
      now: () => new Date(),
      clock: systemClock,
      random: () => 0,
      onFault: (fault) => this.faults.push(fault?.code),
      ...options,
    });
  }

  change(name: string, { metadata, status }: Partial<NodePatch>): KubeObject {
    const known = this.#nodes.get(name);
    const node: KubeObject = {
      metadata: {
        name,
        uid: `uid-${name}`,
        resourceVersion: String((this.#version += 1)),
        annotations: { ...known?.metadata.annotations, ...metadata?.annotations },
      },
      status: status ?? known?.['status'] ?? {},
    };
    this.#nodes.set(name, node);
    return node;
  }

  remove(name: string): void {
    this.#nodes.delete(name);
  }

  see(): void {
    this.seen.set(...this.#nodes.values());
  }

  node(name: string): KubeObject {
    return this.#nodes.get(name)!;
  }
}

const synced = (revision: string): NodeStanding => ({
  condition: { status: 'True', reason: 'Synced', message: `holds revision ${revision}` },
  revision,
});
const pending = (revision: string): NodeStanding => ({
  condition: { status: 'False', reason: 'RevisionPending', message: `revision ${revision} is wanted` },
  revision: undefined,
});
const refused = () => Promise.reject(new ApiError('unreachable', 'no way'));

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2027-01-15T12:00:00.250Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('NodeStatusWriter', () => {
  it('writes condition and annotation in one patch of the status', async () => {
    const site = new Site(['win-1']);
    site.writer.set('win-1', synced('r1'));
    await site.writer.settled();
    expect(site.patches).toEqual([
      {
        name: 'win-1',
        patch: {
          metadata: { annotations: { 'mirrorgate.dev/revision': 'r1' } },
          status: {
            conditions: [
              {
                type: 'MirrorConfigSynced',
                status: 'True',
                reason: 'Synced',
                message: 'holds revision r1',
                lastHeartbeatTime: '2027-01-15T12:00:00Z',
                lastTransitionTime: '2027-01-15T12:00:00Z',
              },
            ],
          },
        },
      },
    ]);
  });

  it('writes nothing where the Node shows it already, seen or not', async () => {
    const site = new Site(['win-1']);
    site.writer.set('win-1', synced('r1'));
    await site.writer.settled();
    site.writer.set('win-1', synced('r1'));
    await site.writer.settled();
    site.see();
    site.change('win-1', {});
    site.see();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(site.patches).toHaveLength(1);
  });

  it('leaves the annotation as it is where no revision is known', async () => {
    const site = new Site(['win-1']);
    site.writer.set('win-1', synced('r1'));
    await site.writer.settled();
    site.writer.set('win-1', pending('r2'));
    await site.writer.settled();
    expect(site.patches[1]!.patch).not.toHaveProperty('metadata');
    expect(revisionOf(site.node('win-1'))).toBe('r1');
  });

  it('moves the time of the transition only when the status changes', async () => {
    const site = new Site(['win-1']);
    const timesAfter = async (standing: NodeStanding) => {
      site.writer.set('win-1', standing);
      await site.writer.settled();
      const [condition] = site.patches.at(-1)!.patch.status.conditions;
      return [condition!['lastTransitionTime'], condition!['lastHeartbeatTime']];
    };
    const start = '2027-01-15T12:00:00Z';
    expect(await timesAfter(pending('r1'))).toEqual([start, start]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await timesAfter(pending('r2'))).toEqual([start, '2027-01-15T12:01:00Z']);
    expect(await timesAfter(synced('r2'))).toEqual(['2027-01-15T12:01:00Z', '2027-01-15T12:01:00Z']);
  });

  it('lets no earlier wish overtake a later one, across terms of leading too', async () => {
    const site = new Site(['win-1']);
    const answers: (() => void)[] = [];
    site.before = () => new Promise((resolve) => answers.push(resolve));
    site.writer.set('win-1', pending('r1'));
    await vi.waitFor(() => {
      expect(answers).toHaveLength(1);
    });
    site.writer.set('win-1', pending('r2'));
    site.writer.clear();
    site.writer.set('win-1', synced('r2'));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(site.mostUnderWay).toBe(1);
    answers[0]!();
    await vi.waitFor(() => {
      expect(answers).toHaveLength(2);
    });
    answers[1]!();
    await site.writer.settled();
    expect(site.patches.map(({ patch }) => patch.status.conditions[0]!['message'])).toEqual([
      'revision r1 is wanted',
      'holds revision r2',
    ]);
  });

  it('puts right what somebody else has changed, and more and more seldom while that goes on', async () => {
    const site = new Site(['win-1']);
    site.writer.set('win-1', synced('r1'));
    await site.writer.settled();
    site.see();
    const meddle = () => {
      site.change('win-1', { status: { conditions: [] } });
      site.see();
    };
    const counts: number[] = [];
    for (let minute = 0; minute < 10; minute += 1) {
      for (let second = 0; second < 60; second += 1) {
        meddle();
        await vi.advanceTimersByTimeAsync(1_000);
      }
      counts.push(site.patches.length);
    }
    expect(counts[0]).toBeGreaterThan(2);
    expect(counts[9]! - counts[4]!).toBeLessThanOrEqual(3);
    await vi.advanceTimersByTimeAsync(300_000);
    expect(conditionOf(site.node('win-1'))?.status).toBe('True');
  });

  it('puts the annotation right too', async () => {
    const site = new Site(['win-1']);
    site.writer.set('win-1', synced('r1'));
    await site.writer.settled();
    site.change('win-1', { metadata: { annotations: { 'mirrorgate.dev/revision': 'forged' } } });
    site.see();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(revisionOf(site.node('win-1'))).toBe('r1');
  });

  it('tries again and again, tells of a fault once, and that it is over when it is for all', async () => {
    const site = new Site(['win-1', 'win-2']);
    site.before = refused;
    site.writer.set('win-1', synced('r1'));
    site.writer.set('win-2', synced('r1'));
    await vi.advanceTimersByTimeAsync(120_000);
    expect(site.faults).toEqual(['unreachable']);
    site.before = (name) => (name === 'win-1' ? undefined : refused());
    await vi.advanceTimersByTimeAsync(60_000);
    expect(site.patches.map(({ name }) => name)).toEqual(['win-1']);
    expect(site.faults).toEqual(['unreachable']);
    site.before = () => undefined;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(site.patches.map(({ name }) => name)).toEqual(['win-1', 'win-2']);
    expect(site.faults).toEqual(['unreachable', undefined]);
  });

  it('keeps to its wait after a fault, however often the Nodes change', async () => {
    const site = new Site(['win-1']);
    let tries = 0;
    site.before = () => {
      tries += 1;
      return refused();
    };
    site.writer.set('win-1', synced('r1'));
    for (let beat = 0; beat < 600; beat += 1) {
      site.change('win-1', {});
      site.see();
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(tries).toBeLessThan(10);
  });

  it('waits for a Node that is not there, and forgets one that is gone', async () => {
    const site = new Site(['win-1']);
    site.writer.set('win-2', synced('r1'));
    await site.writer.settled();
    expect(site.patches).toEqual([]);
    site.change('win-2', {});
    site.see();
    await site.writer.settled();
    expect(site.patches.map(({ name }) => name)).toEqual(['win-2']);

    site.remove('win-1');
    site.writer.set('win-1', synced('r1'));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(site.faults).toEqual([]);
    site.change('win-1', {});
    site.see();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(site.patches.map(({ name }) => name)).toEqual(['win-2']);
  });

  it('leaves Nodes to others after `clear`', async () => {
    const site = new Site(['win-1']);
    site.writer.set('win-1', synced('r1'));
    await site.writer.settled();
    site.writer.clear();
    site.change('win-1', { status: { conditions: [] } });
    site.see();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(site.patches).toHaveLength(1);
  });

  describe('urgent', () => {
    it('resolves when all of them show it, with many writes at a time', async () => {
      const names = Array.from({ length: 200 }, (_, at) => `win-${at}`);
      const site = new Site(names, { concurrency: 20 });
      site.before = () => new Promise((resolve) => setTimeout(resolve, 20));
      for (const name of names) site.writer.set(name, pending('r1'));
      const done = site.writer.urgent(names);
      await vi.advanceTimersByTimeAsync(250);
      await done;
      expect(site.patches).toHaveLength(200);
      expect(site.mostUnderWay).toBe(20);
    });

    it('tries those at once that wait for their next try', async () => {
      const site = new Site(['win-1']);
      site.before = refused;
      site.writer.set('win-1', pending('r1'));
      await vi.advanceTimersByTimeAsync(60_000);
      site.before = () => undefined;
      await site.writer.urgent(['win-1']);
      expect(site.patches).toHaveLength(1);
    });

    it('does not wait for a second try', async () => {
      const site = new Site(['win-1', 'win-2']);
      site.before = (name) => (name === 'win-1' ? refused() : undefined);
      site.writer.set('win-1', pending('r1'));
      site.writer.set('win-2', pending('r1'));
      await site.writer.urgent(['win-1', 'win-2']);
      expect(site.patches.map(({ name }) => name)).toEqual(['win-2']);
    });

    it('waits 5 s at most', async () => {
      const site = new Site(['win-1']);
      site.before = () => new Promise(() => undefined);
      site.writer.set('win-1', pending('r1'));
      let isDone = false;
      void site.writer.urgent(['win-1']).then(() => (isDone = true));
      await vi.advanceTimersByTimeAsync(4_999);
      expect(isDone).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      expect(isDone).toBe(true);
    });
  });

  it('writes out what is wanted when it is stopped, tries once, and then leaves everything alone', async () => {
    const site = new Site(['win-1', 'win-2'], { concurrency: 1 });
    let tries = 0;
    site.before = (name) => {
      tries += 1;
      return name === 'win-1' ? refused() : undefined;
    };
    site.writer.set('win-1', synced('r1'));
    site.writer.set('win-2', synced('r1'));
    await site.writer.stop();
    expect(site.patches.map(({ name }) => name)).toEqual(['win-2']);
    site.writer.set('win-2', pending('r2'));
    site.see();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(tries).toBe(2);
    expect(vi.getTimerCount()).toBe(0);
  });
});
