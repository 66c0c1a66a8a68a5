import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError, type ApiErrorCode } from '../../../src/cluster/api-error.js';
import { EventRecorder, type EventToRecord } from '../../../src/cluster/event-recorder.js';
import type { KubeClient } from '../../../src/cluster/kube-client.js';
import type { KubeObject } from '../../../src/cluster/kube-object.js';
import { systemClock } from '../../../src/distribution/clock.js';

/** The Events of an API server, and a recorder that writes there. */
class Site {
  readonly events = new Map<string, KubeObject>();
  readonly requests: ('create' | 'patch')[] = [];
  readonly faults: (string | undefined)[] = [];
  readonly drops: number[] = [];
  readonly recorder: EventRecorder;
  /** Awaited before a request is taken; rejects to refuse it. */
  before: (verb: 'create' | 'patch') => Promise<void> | void = () => undefined;
  /** Awaited after it was done; rejects to lose the answer. */
  after: () => Promise<void> | void = () => undefined;

  constructor() {
    let drawn = 0;
    const client: Pick<KubeClient, 'create' | 'patch'> = {
      create: async (resource, event) => {
        expect(resource).toEqual({ apiVersion: 'v1', kind: 'Event', plural: 'events' });
        this.requests.push('create');
        await this.before('create');
        const { name } = event.metadata;
        if (this.events.has(name)) throw new ApiError('already-exists', 'it is there');
        this.events.set(name, event);
        await this.after();
        return event;
      },
      patch: async (_, { name, namespace }, type, patch) => {
        expect([namespace, type]).toEqual(['default', 'merge']);
        this.requests.push('patch');
        await this.before('patch');
        const known = this.events.get(name);
        if (known === undefined) throw new ApiError('not-found', 'no such event');
        this.events.set(name, { ...known, ...patch });
        await this.after();
        return known;
      },
    };
    this.recorder = new EventRecorder({
      client,
      identity: 'mirrorgate-0',
      clock: systemClock,
      random: () => (drawn = (drawn + 0.000_123) % 1),
      onDropped: (count) => this.drops.push(count),
      onFault: (fault) => this.faults.push(fault?.code),
    });
  }

  /** Note and count of each Event, in the order of their making. */
  told(): (readonly [note: string, count: number])[] {
    return [...this.events.values()].map(
      (event) => [event['message'] as string, event['count'] as number] as const,
    );
  }
}

const failed = (more: Partial<EventToRecord> = {}): EventToRecord => ({
  regarding: { apiVersion: 'v1', kind: 'Node', name: 'win-1' },
  type: 'Warning',
  reason: 'Unreachable',
  action: 'Sync',
  note: '10.0.0.1:22 refused the connection',
  ...more,
});
const aboutNode = (name: string): Pick<EventToRecord, 'regarding'> => ({
  regarding: { apiVersion: 'v1', kind: 'Node', name },
});
const refuse = (code: ApiErrorCode) => () => Promise.reject(new ApiError(code, 'no'));
const minutes = (count: number) => vi.advanceTimersByTimeAsync(count * 60_000);
const soon = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2027-01-15T12:00:00.250Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('EventRecorder', () => {
  it('writes an Event as every API server takes it, on a Node with its name as uid', async () => {
    const site = new Site();
    site.recorder.record(failed());
    await soon();
    const [event] = site.events.values();
    expect(event!.metadata.name).toMatch(/^win-1\.[0-9a-f]{16}$/);
    expect(event).toEqual({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: event!.metadata.name, namespace: 'default' },
      involvedObject: { apiVersion: 'v1', kind: 'Node', name: 'win-1', uid: 'win-1' },
      type: 'Warning',
      reason: 'Unreachable',
      action: 'Sync',
      message: '10.0.0.1:22 refused the connection',
      source: { component: 'mirrorgate' },
      reportingComponent: 'mirrorgate.dev/mirrorgate',
      reportingInstance: 'mirrorgate-0',
      firstTimestamp: '2027-01-15T12:00:00Z',
      lastTimestamp: '2027-01-15T12:00:00Z',
      count: 1,
    });
  });

  it('keeps the uid of other objects', async () => {
    const site = new Site();
    const regarding = {
      apiVersion: 'config.openshift.io/v1',
      kind: 'ImageTagMirrorSet',
      name: 'a',
      uid: 'u-1',
    };
    site.recorder.record(failed({ regarding }));
    await soon();
    expect([...site.events.values()][0]!['involvedObject']).toEqual(regarding);
  });

  it('cuts what the API would refuse: long notes between characters, long names before a part ends', async () => {
    const site = new Site();
    const name = `${'a'.repeat(235)}.${'b'.repeat(17)}`;
    site.recorder.record(failed({ ...aboutNode(name), note: 'ñ'.repeat(1000) }));
    await soon();
    const [event] = site.events.values();
    const note = event!['message'] as string;
    expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1024);
    expect(note).toMatch(/^ñ+…$/);
    expect(event!.metadata.name).toMatch(/^a{235}\.[0-9a-f]{16}$/);
  });

  it('makes one Event with a count of equal ones, and writes the count every 30 s at most', async () => {
    const site = new Site();
    for (let second = 0; second < 120; second += 1) {
      site.recorder.record(failed());
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(site.told()).toHaveLength(1);
    expect(site.requests).toEqual(['create', 'patch', 'patch', 'patch', 'patch']);
    await minutes(1);
    expect(site.told()[0]![1]).toBe(120);
    const [event] = site.events.values();
    expect([event!['firstTimestamp'], event!['lastTimestamp']]).toEqual([
      '2027-01-15T12:00:00Z',
      '2027-01-15T12:01:59Z',
    ]);
  });

  it('takes events that differ in object, type, reason or note for different ones', async () => {
    const site = new Site();
    const all = [
      failed(),
      failed(aboutNode('win-2')),
      failed({ type: 'Normal' }),
      failed({ reason: 'DiskFull' }),
      failed({ note: 'another' }),
    ];
    for (const event of [...all, ...all]) site.recorder.record(event);
    await minutes(1);
    expect(site.told().map(([, count]) => count)).toEqual([2, 2, 2, 2, 2]);
  });

  it('begins anew when the same happens over 10 min later, and goes on when it happens before that', async () => {
    const site = new Site();
    for (const wait of [9, 9, 11]) {
      site.recorder.record(failed());
      await minutes(wait);
    }
    site.recorder.record(failed());
    await minutes(1);
    expect(site.told().map(([, count]) => count)).toEqual([3, 1]);
  });

  it('makes a new Event for what the cluster does not know yet when the old one has expired', async () => {
    const site = new Site();
    site.recorder.record(failed());
    await soon();
    site.events.clear();
    site.recorder.record(failed());
    site.recorder.record(failed());
    await minutes(1);
    expect(site.requests).toEqual(['create', 'patch', 'create']);
    expect(site.told()).toEqual([[failed().note, 2]]);
    expect(site.faults).toEqual([]);
  });

  it('lets an object have 25 new Events at once and one per 5 min then, and does not count repeats', async () => {
    const site = new Site();
    for (let at = 0; at < 40; at += 1) site.recorder.record(failed({ note: `note ${at}` }));
    for (let at = 0; at < 5; at += 1) site.recorder.record(failed({ note: 'note 0' }));
    site.recorder.record(failed(aboutNode('win-2')));
    await minutes(1);
    expect(site.told()).toHaveLength(26);
    expect(site.told()[0]).toEqual(['note 0', 6]);
    await minutes(5);
    site.recorder.record(failed({ note: 'later 1' }));
    site.recorder.record(failed({ note: 'later 2' }));
    await minutes(1);
    expect(site.told().map(([note]) => note)).toContain('later 1');
    expect(site.told().map(([note]) => note)).not.toContain('later 2');
  });

  it('tells how many were dropped at once, and then every 5 min at most', async () => {
    const site = new Site();
    for (let at = 0; at < 40; at += 1) site.recorder.record(failed({ note: `note ${at}` }));
    expect(site.drops).toEqual([1]);
    await minutes(4);
    expect(site.drops).toEqual([1]);
    await minutes(1);
    expect(site.drops).toEqual([1, 14]);
    await minutes(30);
    expect(site.drops).toEqual([1, 14]);
  });

  it('keeps what happens while the API server is down, and writes each once when it is back', async () => {
    const site = new Site();
    site.before = refuse('unreachable');
    for (let minute = 0; minute < 5; minute += 1) {
      site.recorder.record(failed());
      site.recorder.record(failed(aboutNode('win-2')));
      await minutes(1);
    }
    // One fault keeps all from being written: it is not tried for each.
    expect(site.requests.length).toBeLessThan(40);
    expect(site.faults).toEqual(['unreachable']);
    site.before = () => undefined;
    await minutes(1);
    expect(site.told().map(([, count]) => count)).toEqual([5, 5]);
    expect(site.faults).toEqual(['unreachable', undefined]);
    expect(site.drops).toEqual([]);
  });

  it('makes no second Event when only the answer to the first request was lost', async () => {
    const site = new Site();
    site.after = refuse('unreachable');
    site.recorder.record(failed());
    await soon();
    site.after = () => undefined;
    site.recorder.record(failed());
    await minutes(2);
    expect(site.told()).toEqual([[failed().note, 2]]);
  });

  it('drops what it could not write for over 10 min, and counts it', async () => {
    const site = new Site();
    site.before = refuse('unreachable');
    site.recorder.record(failed());
    site.recorder.record(failed());
    await minutes(12);
    expect(site.drops).toEqual([2]);
    site.before = () => undefined;
    await minutes(5);
    expect(site.told()).toEqual([]);
  });

  it('holds 1,000 that wait to be written, and drops more', async () => {
    const site = new Site();
    site.before = refuse('unreachable');
    for (let at = 0; at < 1_200; at += 1) site.recorder.record(failed(aboutNode(`win-${at}`)));
    await minutes(5);
    const dropped = site.drops.reduce((sum, count) => sum + count, 0);
    expect(dropped).toBeGreaterThan(190);
    site.before = () => undefined;
    await minutes(2);
    expect(site.told()).toHaveLength(1_200 - dropped);
  });

  it('tells once that it may not write Events, and keeps none', async () => {
    const site = new Site();
    site.before = refuse('forbidden');
    for (let at = 0; at < 10; at += 1) site.recorder.record(failed(aboutNode(`win-${at}`)));
    await minutes(10);
    expect(site.faults).toEqual(['forbidden']);
    expect(site.requests).toHaveLength(10);
    expect(site.drops.reduce((sum, count) => sum + count, 0)).toBe(10);
  });

  it('waits as long as an overloaded API server asks', async () => {
    const site = new Site();
    site.before = () => Promise.reject(new ApiError('overloaded', 'later', { retryAfterMs: 90_000 }));
    site.recorder.record(failed());
    await vi.advanceTimersByTimeAsync(89_000);
    expect(site.requests).toHaveLength(1);
    site.before = () => undefined;
    await vi.advanceTimersByTimeAsync(2_000);
    expect(site.told()).toHaveLength(1);
  });

  it('never throws at whoever records, whatever becomes of it', async () => {
    const site = new Site();
    site.before = () => {
      throw new TypeError('not an API error');
    };
    expect(() => {
      site.recorder.record(failed());
    }).not.toThrow();
    await soon();
    expect(site.faults).toEqual(['unreachable']);
  });

  describe('stop', () => {
    it('writes what still waits, counts of series too, and takes nothing more', async () => {
      const site = new Site();
      site.recorder.record(failed());
      await soon();
      site.recorder.record(failed());
      site.recorder.record(failed(aboutNode('win-2')));
      await site.recorder.stop();
      expect(site.told().map(([, count]) => count)).toEqual([2, 1]);
      site.recorder.record(failed(aboutNode('win-3')));
      await minutes(60);
      expect(site.told()).toHaveLength(2);
      expect(vi.getTimerCount()).toBe(0);
    });

    it('writes what was noted while an earlier count was on its way', async () => {
      const site = new Site();
      let answer: () => void = () => undefined;
      site.before = () => new Promise((resolve) => (answer = resolve));
      site.recorder.record(failed());
      await soon();
      site.recorder.record(failed());
      site.before = () => undefined;
      const stopped = site.recorder.stop();
      answer();
      await stopped;
      expect(site.told()).toEqual([[failed().note, 2]]);
    });

    it('tries each once where the API server is down, and tells what is lost', async () => {
      const site = new Site();
      site.before = refuse('unreachable');
      for (let at = 0; at < 3; at += 1) site.recorder.record(failed(aboutNode(`win-${at}`)));
      await minutes(1);
      const tries = site.requests.length;
      await site.recorder.stop();
      expect(site.requests.length - tries).toBe(3);
      expect(site.drops).toEqual([3]);
    });

    it('ends after 5 s where nothing answers', async () => {
      const site = new Site();
      site.before = () => new Promise(() => undefined);
      for (let at = 0; at < 10; at += 1) site.recorder.record(failed(aboutNode(`win-${at}`)));
      let isDone = false;
      void site.recorder.stop().then(() => (isDone = true));
      await vi.advanceTimersByTimeAsync(4_999);
      expect(isDone).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      expect(isDone).toBe(true);
      expect(site.drops).toEqual([6]);
    });
  });
});
