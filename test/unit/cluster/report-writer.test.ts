import { describe, expect, it, vi } from 'vitest';
import { ApiError, type ApiErrorCode } from '../../../src/cluster/api-error.js';
import { resources, type ApiResource, type KubeObject } from '../../../src/cluster/kube-object.js';
import type { ReportSource } from '../../../src/cluster/report-entry.js';
import { ReportWriter } from '../../../src/cluster/report-writer.js';
import type { ExistingVerdict } from '../../../src/controller/judge-existing.js';
import type { MirrorSet } from '../../../src/mirrors/mirror-set.js';
import { defaultPolicy } from '../../../src/policy/policy.js';
import { idms, itms } from '../mirror-sets.js';
import { ManualClock } from '../serving/manual-clock.js';

const { openReports, policyReports } = resources;
const policy = defaultPolicy();

/** Reports of one kind at the server, and what the writer gets to see of them. */
class Reports implements ReportSource {
  readonly there = new Map<string, KubeObject>();
  /** The source does not follow until `catchUp`. */
  late = false;
  #shown: ReadonlyMap<string, KubeObject> | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(
    readonly resource: ApiResource,
    public installed = true,
  ) {
    this.#shown = new Map();
  }

  current(): ReadonlyMap<string, KubeObject> | undefined {
    return this.#shown;
  }

  status(): { readonly installed: boolean } {
    return { installed: this.installed };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  forget(): void {
    this.#shown = undefined;
  }

  catchUp(): void {
    this.#shown = new Map(
      this.installed
        ? [...this.there].filter(
            ([, { metadata }]) => 'app.kubernetes.io/managed-by' in (metadata.labels ?? {}),
          )
        : [],
    );
    for (const listener of [...this.#listeners]) listener();
  }

  install(installed: boolean): void {
    this.installed = installed;
    if (!installed) this.there.clear();
    this.catchUp();
  }

  names(): string[] {
    return [...this.there.keys()].sort();
  }
}

/** A cluster with mirror sets and both kinds of report, in memory. */
class Cluster {
  readonly open = new Reports(openReports);
  readonly group = new Reports(policyReports, false);
  readonly clock = new ManualClock(new Date('2027-03-01T10:00:00Z'));
  readonly uids = new Map<string, string>();
  /** Every request, as `verb name`. */
  readonly calls: string[] = [];
  readonly faults: (ApiErrorCode | undefined)[] = [];
  readonly messages: string[] = [];
  /** Before a request is handled: may hold it up, or refuse it. */
  before: (verb: string, object: { readonly name: string }) => Promise<void> | void = () => undefined;
  /** After it was handled, and before the answer comes. */
  after: (verb: string) => void = () => undefined;
  /** What the server makes of a report that it takes. */
  schema: (object: KubeObject) => KubeObject = (object) => object;
  underWay = 0;
  most = 0;
  #version = 100;
  readonly writer: ReportWriter;

  constructor(options: { readonly concurrency?: number } = {}) {
    const request = async <T>(
      verb: string,
      resource: ApiResource,
      name: string,
      handle: (reports: Reports) => T,
    ): Promise<T> => {
      this.calls.push(`${verb} ${name}`);
      this.underWay += 1;
      this.most = Math.max(this.most, this.underWay);
      try {
        await this.before(verb, { name });
        const reports = this.open.resource === resource ? this.open : this.group;
        if (!reports.installed) throw new ApiError('not-found', `${verb}: the kind is not served`);
        const answer = handle(reports);
        if (!reports.late) reports.catchUp();
        this.after(verb);
        return answer;
      } finally {
        this.underWay -= 1;
      }
    };
    this.writer = new ReportWriter({
      client: {
        create: (resource, object) =>
          request('create', resource, object.metadata.name, (reports) => {
            if (reports.there.has(object.metadata.name))
              throw new ApiError('already-exists', 'create: there');
            return this.store(reports, object);
          }),
        replace: (resource, object) =>
          request('replace', resource, object.metadata.name, (reports) => {
            const known = reports.there.get(object.metadata.name);
            if (known === undefined) throw new ApiError('not-found', 'replace: not there');
            if (known.metadata.resourceVersion !== object.metadata.resourceVersion)
              throw new ApiError('conflict', 'replace: modified');
            return this.store(reports, object);
          }),
        remove: (resource, { name }) =>
          request('remove', resource, name, (reports) => {
            reports.there.delete(name);
          }),
      },
      openReports: this.open,
      policyReports: this.group,
      objectOf: ({ kind, name }) => {
        const uid = this.uids.get(name);
        return uid === undefined
          ? undefined
          : { apiVersion: 'config.openshift.io/v1', kind, metadata: { name, uid } };
      },
      now: () => new Date(this.clock.now()),
      clock: this.clock,
      random: () => 0,
      onFault: (fault) => {
        this.faults.push(fault?.code);
        if (fault !== undefined) this.messages.push(fault.message);
      },
      ...options,
    });
  }

  /** Makes or changes a report, as the server does. */
  store(reports: Reports, object: KubeObject): KubeObject {
    this.#version += 1;
    const { name } = object.metadata;
    const uid = reports.there.get(name)?.metadata.uid ?? `uid-${this.#version}`;
    const stored = this.schema(object);
    const kept = { ...stored, metadata: { ...stored.metadata, uid, resourceVersion: String(this.#version) } };
    reports.there.set(name, kept);
    return kept;
  }

  /** Somebody else changes a report. */
  meddle(reports: Reports, name: string, change: object): void {
    const known = reports.there.get(name);
    if (known === undefined) throw new Error(`there is no report ${name}`);
    this.store(reports, { ...known, ...change });
    if (!reports.late) reports.catchUp();
  }

  /** Tells the verdicts on sets, which are there. */
  async judged(...verdicts: readonly ExistingVerdict[]): Promise<void> {
    for (const { set } of verdicts) {
      if (!this.uids.has(set.name)) this.uids.set(set.name, `uid-of-${set.name}`);
    }
    this.writer.set(verdicts, policy);
    await this.writer.settled();
  }

  /** Takes the requests since the last time. */
  asked(): string[] {
    return this.calls.splice(0);
  }

  async pass(milliseconds: number): Promise<void> {
    this.clock.goTo(this.clock.now() + milliseconds);
    await this.writer.settled();
  }
}

function verdict(set: MirrorSet, ...paths: readonly string[]): ExistingVerdict {
  const findings = paths.map((path) => ({
    rule: 'windows-mirror-path',
    action: 'deny' as const,
    kind: set.kind,
    name: set.name,
    path,
    message: 'is wrong',
    fix: 'mend it',
  }));
  return { set, judgement: { allowed: findings.length === 0, findings, exempted: [], notices: [] } };
}

const a = idms('a', []);
const b = itms('b', []);

interface Seen {
  readonly summary: Readonly<Record<string, number>>;
  readonly results: readonly {
    readonly properties: Readonly<Record<string, string>>;
    readonly timestamp: { readonly seconds: number };
  }[];
}

function seen(reports: Reports, name: string): Seen & KubeObject {
  const report = reports.there.get(name);
  if (report === undefined) throw new Error(`there is no report ${name}`);
  return report as Seen & KubeObject;
}

const versions = (reports: Reports) =>
  [...reports.there.values()].map(({ metadata }) => metadata.resourceVersion);

describe('ReportWriter', () => {
  it('writes a report for each set, and takes away those of sets that are gone', async () => {
    const cluster = new Cluster();
    await cluster.judged(verdict(a, 'p'), verdict(b));
    expect(cluster.open.names()).toEqual(['idms-a', 'itms-b']);
    expect(seen(cluster.open, 'idms-a').summary).toMatchObject({ fail: 1, pass: 0 });
    expect(seen(cluster.open, 'itms-b').summary).toMatchObject({ fail: 0, pass: 1 });
    await cluster.judged(verdict(b));
    expect(cluster.open.names()).toEqual(['itms-b']);
    await cluster.judged();
    expect(cluster.open.names()).toEqual([]);
    expect(cluster.asked()).toEqual(['create idms-a', 'create itms-b', 'remove idms-a', 'remove itms-b']);
  });

  it('writes only what has changed', async () => {
    const cluster = new Cluster();
    await cluster.judged(verdict(a, 'p'), verdict(b));
    cluster.asked();
    const before = versions(cluster.open);
    await cluster.pass(3_600_000);
    await cluster.judged(verdict(a, 'p'), verdict(b));
    expect(cluster.asked()).toEqual([]);
    expect(versions(cluster.open)).toEqual(before);

    await cluster.judged(verdict(a, 'p', 'q'), verdict(b));
    expect(cluster.asked()).toEqual(['replace idms-a']);
    const [first, second] = seen(cluster.open, 'idms-a').results;
    // What was there keeps its time.
    expect((second?.timestamp.seconds ?? 0) - (first?.timestamp.seconds ?? 0)).toBe(3600);
  });

  it('writes nothing for what another replica has written', async () => {
    const cluster = new Cluster();
    await cluster.judged(verdict(a, 'p'));
    const other = new Cluster();
    other.open.there.set('idms-a', seen(cluster.open, 'idms-a'));
    other.open.catchUp();
    await other.judged(verdict(a, 'p'));
    expect(other.asked()).toEqual([]);
  });

  it('puts right what somebody else has changed, and makes anew what was deleted', async () => {
    const cluster = new Cluster();
    await cluster.judged(verdict(a, 'p'));
    cluster.asked();
    cluster.meddle(cluster.open, 'idms-a', { summary: { fail: 0 } });
    await cluster.writer.settled();
    expect(cluster.asked()).toEqual(['replace idms-a']);
    expect(seen(cluster.open, 'idms-a').summary).toMatchObject({ fail: 1 });

    cluster.open.there.delete('idms-a');
    cluster.open.catchUp();
    await cluster.writer.settled();
    expect(cluster.asked()).toEqual(['create idms-a']);
  });

  it('puts right ever more slowly what somebody keeps changing, but at once what is new', async () => {
    const cluster = new Cluster();
    await cluster.judged(verdict(a, 'p'));
    cluster.asked();
    for (let times = 0; times < 20; times += 1) {
      cluster.meddle(cluster.open, 'idms-a', { summary: { fail: times } });
      await cluster.writer.settled();
    }
    expect(cluster.asked()).toEqual(['replace idms-a', 'replace idms-a']);
    await cluster.pass(1_000);
    expect(cluster.asked()).toEqual(['replace idms-a']);
    cluster.meddle(cluster.open, 'idms-a', { summary: { fail: 0 } });
    await cluster.pass(100);
    expect(cluster.asked()).toEqual([]);
    await cluster.judged(verdict(a, 'p', 'q'));
    expect(cluster.asked()).toEqual(['replace idms-a']);
    expect(seen(cluster.open, 'idms-a').summary).toMatchObject({ fail: 2 });
  });

  it('does not write over and over what the server keeps in another form', async () => {
    const cluster = new Cluster();
    cluster.schema = (object) => ({ ...object, source: undefined });
    await cluster.judged(verdict(a, 'p'));
    await cluster.judged(verdict(a, 'p'));
    expect(cluster.asked()).toEqual(['create idms-a']);
    cluster.meddle(cluster.open, 'idms-a', { summary: {} });
    await cluster.writer.settled();
    expect(cluster.asked()).toEqual(['replace idms-a']);
  });

  it('belongs to the set that is there now', async () => {
    const cluster = new Cluster();
    await cluster.judged(verdict(a));
    cluster.asked();
    cluster.uids.set('a', 'uid-of-another');
    await cluster.judged(verdict(a));
    expect(cluster.asked()).toEqual(['replace idms-a']);
    expect(seen(cluster.open, 'idms-a').metadata['ownerReferences']).toMatchObject([
      { kind: 'ImageDigestMirrorSet', name: 'a', uid: 'uid-of-another' },
    ]);
  });

  it('neither writes nor deletes the report of a set that has just gone', async () => {
    const cluster = new Cluster();
    await cluster.judged(verdict(a));
    cluster.asked();
    cluster.uids.clear();
    cluster.writer.set([verdict(a, 'p'), verdict(b)], policy);
    await cluster.writer.settled();
    expect(cluster.asked()).toEqual([]);
    expect(cluster.open.names()).toEqual(['idms-a']);
  });

  it('leaves a report alone that waits for its finalizers', async () => {
    const cluster = new Cluster();
    await cluster.judged(verdict(a));
    cluster.asked();
    const { metadata } = seen(cluster.open, 'idms-a');
    cluster.meddle(cluster.open, 'idms-a', {
      metadata: { ...metadata, deletionTimestamp: '2027-03-01T10:00:00Z', finalizers: ['example.com/hold'] },
    });
    await cluster.judged(verdict(a, 'p'));
    await cluster.judged();
    expect(cluster.asked()).toEqual([]);
  });

  describe('of two kinds', () => {
    it('writes the other one where OpenReports is not installed', async () => {
      const cluster = new Cluster();
      cluster.open.install(false);
      cluster.group.install(true);
      await cluster.judged(verdict(a));
      expect(seen(cluster.group, 'idms-a').kind).toBe('ClusterPolicyReport');
      expect(cluster.open.names()).toEqual([]);
    });

    it('writes none where none is installed, and begins when one is', async () => {
      const cluster = new Cluster();
      cluster.open.install(false);
      await cluster.judged(verdict(a));
      expect(cluster.asked()).toEqual([]);
      cluster.group.install(true);
      await cluster.writer.settled();
      expect(cluster.group.names()).toEqual(['idms-a']);
    });

    it('moves to OpenReports when that is installed, and back when it is gone', async () => {
      const cluster = new Cluster();
      cluster.open.install(false);
      cluster.group.install(true);
      await cluster.judged(verdict(a), verdict(b));
      cluster.open.install(true);
      await cluster.writer.settled();
      expect(cluster.open.names()).toEqual(['idms-a', 'itms-b']);
      expect(cluster.group.names()).toEqual([]);
      cluster.open.install(false);
      await cluster.writer.settled();
      expect(cluster.group.names()).toEqual(['idms-a', 'itms-b']);
    });

    it('waits until it is known whether OpenReports is there', async () => {
      const cluster = new Cluster();
      cluster.group.install(true);
      cluster.store(cluster.group, own('idms-old'));
      cluster.group.catchUp();
      cluster.open.forget();
      await cluster.judged(verdict(a));
      expect(cluster.asked()).toEqual([]);
      cluster.open.catchUp();
      await cluster.writer.settled();
      expect(cluster.asked().sort()).toEqual(['create idms-a', 'remove idms-old']);
    });

    it('does not wait for the kind that it does not write', async () => {
      const cluster = new Cluster();
      cluster.group.install(true);
      cluster.group.forget();
      await cluster.judged(verdict(a));
      expect(cluster.open.names()).toEqual(['idms-a']);
    });
  });

  describe('with reports of others', () => {
    it('touches none, and says so where one is in the way', async () => {
      const cluster = new Cluster();
      const foreign = { ...own('idms-a'), metadata: { name: 'idms-a' } };
      cluster.store(cluster.open, foreign);
      cluster.store(cluster.open, { ...foreign, metadata: { name: 'somebody-elses' } });
      cluster.open.catchUp();
      await cluster.judged(verdict(a));
      for (let times = 0; times < 5; times += 1) await cluster.pass(60_000);
      expect(new Set(cluster.asked())).toEqual(new Set(['create idms-a']));
      expect(cluster.open.names()).toEqual(['idms-a', 'somebody-elses']);
      expect(cluster.faults).toEqual(['already-exists']);
      expect(cluster.messages[0]).toContain('idms-a');
      expect(cluster.messages[0]).toContain('app.kubernetes.io/managed-by=mirrorgate');

      cluster.open.there.delete('idms-a');
      await cluster.pass(60_000);
      expect(seen(cluster.open, 'idms-a').summary).toMatchObject({ pass: 1 });
      expect(cluster.faults).toEqual(['already-exists', undefined]);
    });

    it('does not touch one either that a source shows all the same', async () => {
      const cluster = new Cluster();
      const foreign = own('idms-x');
      cluster.store(cluster.open, {
        ...foreign,
        metadata: { name: 'idms-x', labels: { 'app.kubernetes.io/managed-by': 'helm' } },
      });
      cluster.open.catchUp();
      await cluster.judged(verdict(a));
      expect(cluster.asked()).toEqual(['create idms-a']);
      expect(cluster.open.names()).toContain('idms-x');
    });
  });

  describe('with a source that is behind', () => {
    it('counts on what it has written itself', async () => {
      const cluster = new Cluster();
      cluster.open.late = true;
      await cluster.judged(verdict(a));
      await cluster.judged(verdict(a, 'p'));
      await cluster.judged(verdict(a, 'p'));
      await cluster.judged();
      await cluster.judged();
      expect(cluster.asked()).toEqual(['create idms-a', 'replace idms-a', 'remove idms-a']);
      expect(cluster.open.names()).toEqual([]);
      cluster.open.catchUp();
      await cluster.judged(verdict(a));
      expect(cluster.asked()).toEqual(['create idms-a']);
    });

    it('does not remove twice what is still shown', async () => {
      const cluster = new Cluster();
      await cluster.judged(verdict(a), verdict(b));
      cluster.open.late = true;
      await cluster.judged(verdict(b));
      await cluster.judged(verdict(b));
      cluster.asked();
      await cluster.judged(verdict(a), verdict(b));
      expect(cluster.asked()).toEqual(['create idms-a']);
    });

    it('takes the newest after a conflict, and tells nobody', async () => {
      const cluster = new Cluster();
      await cluster.judged(verdict(a));
      cluster.open.late = true;
      cluster.meddle(cluster.open, 'idms-a', { summary: {} });
      cluster.asked();
      await cluster.judged(verdict(a, 'p'));
      expect(cluster.asked()).toEqual(['replace idms-a']);
      cluster.open.late = false;
      cluster.open.catchUp();
      await cluster.writer.settled();
      expect(cluster.asked()).toEqual(['replace idms-a']);
      expect(seen(cluster.open, 'idms-a').summary).toMatchObject({ fail: 1 });
      expect(cluster.faults).toEqual([]);
    });

    it('makes anew what is found to be gone', async () => {
      const cluster = new Cluster();
      await cluster.judged(verdict(a));
      cluster.open.late = true;
      cluster.open.there.delete('idms-a');
      cluster.asked();
      await cluster.judged(verdict(a, 'p'));
      expect(cluster.asked()).toEqual(['replace idms-a', 'create idms-a']);
      expect(cluster.faults).toEqual([]);
    });

    it('finds after a while that a report went before it was ever shown', async () => {
      const cluster = new Cluster();
      cluster.open.late = true;
      await cluster.judged(verdict(a));
      cluster.open.there.delete('idms-a');
      cluster.open.catchUp();
      await cluster.pass(30_000);
      expect(cluster.asked()).toEqual(['create idms-a']);
      await cluster.pass(40_000);
      expect(cluster.asked()).toEqual(['create idms-a']);
      expect(cluster.open.names()).toEqual(['idms-a']);
    });

    it('puts right what was changed before the answer to its own write came', async () => {
      const cluster = new Cluster();
      await cluster.judged(verdict(a));
      cluster.after = () => {
        cluster.after = () => undefined;
        cluster.meddle(cluster.open, 'idms-a', { results: [] });
      };
      cluster.asked();
      await cluster.judged(verdict(a, 'p'));
      expect(cluster.asked()).toEqual(['replace idms-a', 'replace idms-a']);
      expect(seen(cluster.open, 'idms-a').results).toHaveLength(1);
    });

    it('keeps what somebody has made anew before the answer to its own removal came', async () => {
      const cluster = new Cluster();
      await cluster.judged(verdict(a), verdict(b));
      cluster.after = () => {
        cluster.after = () => undefined;
        cluster.store(cluster.open, own('idms-a'));
        cluster.open.catchUp();
        cluster.writer.set([verdict(a), verdict(b)], policy);
      };
      cluster.asked();
      await cluster.judged(verdict(b));
      expect(cluster.asked()).toEqual(['remove idms-a', 'replace idms-a']);
      expect(seen(cluster.open, 'idms-a').summary).toMatchObject({ pass: 1 });
    });
  });

  describe('when something is wrong', () => {
    const refuse = (code: ApiErrorCode, retryAfterMs?: number) => () => {
      throw new ApiError(code, `${code} for the test`, { retryAfterMs });
    };

    it('tries again with growing waits, tells once, and tells when it works again', async () => {
      const cluster = new Cluster();
      cluster.before = refuse('server');
      await cluster.judged(verdict(a), verdict(b));
      expect(cluster.asked()).toEqual(['create idms-a', 'create itms-b']);
      // What happens meanwhile is no reason to try earlier.
      cluster.open.catchUp();
      await cluster.judged(verdict(a), verdict(b));
      expect(cluster.asked()).toEqual([]);
      await cluster.pass(500);
      expect(cluster.asked()).toHaveLength(2);
      await cluster.pass(900);
      expect(cluster.asked()).toEqual([]);
      await cluster.pass(200);
      expect(cluster.asked()).toHaveLength(2);
      expect(cluster.faults).toEqual(['server']);
      cluster.before = ({}, { name }) => {
        if (name === 'itms-b') refuse('server')();
      };
      await cluster.pass(60_000);
      expect(cluster.open.names()).toEqual(['idms-a']);
      expect(cluster.faults).toEqual(['server']);
      cluster.before = () => undefined;
      await cluster.pass(60_000);
      expect(cluster.open.names()).toEqual(['idms-a', 'itms-b']);
      expect(cluster.faults).toEqual(['server', undefined]);
    });

    it('tries slowly what is forbidden', async () => {
      const cluster = new Cluster();
      cluster.before = refuse('forbidden');
      await cluster.judged(verdict(a));
      cluster.asked();
      await cluster.pass(59_000);
      await cluster.judged(verdict(a, 'p'));
      expect(cluster.asked()).toEqual([]);
      await cluster.pass(2_000);
      expect(cluster.asked()).toEqual(['create idms-a']);
      expect(cluster.faults).toEqual(['forbidden']);
    });

    it('waits as long as the server asks', async () => {
      const cluster = new Cluster();
      cluster.before = refuse('overloaded', 20_000);
      await cluster.judged(verdict(a));
      cluster.asked();
      cluster.before = () => undefined;
      await cluster.pass(19_000);
      expect(cluster.asked()).toEqual([]);
      await cluster.pass(2_000);
      expect(cluster.open.names()).toEqual(['idms-a']);
    });

    it('tries at once what is no longer what the server did not take', async () => {
      const cluster = new Cluster();
      cluster.before = refuse('invalid');
      await cluster.judged(verdict(a));
      cluster.before = () => undefined;
      await cluster.judged(verdict(a, 'p'));
      expect(seen(cluster.open, 'idms-a').summary).toMatchObject({ fail: 1 });
      expect(cluster.faults).toEqual(['invalid', undefined]);
    });

    it('has no fault any more when the report in question is not wanted', async () => {
      const cluster = new Cluster();
      cluster.before = refuse('server');
      await cluster.judged(verdict(a));
      await cluster.judged();
      expect(cluster.faults).toEqual(['server', undefined]);
      await cluster.pass(600_000);
      expect(cluster.asked()).toEqual(['create idms-a']);
    });

    it('gives up what cannot be written because its kind is gone', async () => {
      const cluster = new Cluster();
      cluster.open.there.clear();
      cluster.open.installed = false;
      await cluster.judged(verdict(a));
      cluster.open.installed = true;
      cluster.before = refuse('not-found');
      await cluster.judged(verdict(a));
      expect(cluster.asked()).toEqual(['create idms-a']);
      cluster.open.install(false);
      await cluster.pass(600_000);
      expect(cluster.asked()).toEqual([]);
      expect(cluster.faults).toEqual(['not-found', undefined]);
    });
  });

  it('writes no more than so many at the same time, and the newest of each', async () => {
    const cluster = new Cluster({ concurrency: 3 });
    const gates: (() => void)[] = [];
    cluster.before = () => new Promise<void>((resolve) => gates.push(resolve));
    const sets = Array.from({ length: 10 }, (_, index) => idms(`s${index}`, []));
    void cluster.judged(...sets.map((set) => verdict(set)));
    await vi.waitFor(() => {
      expect(gates).toHaveLength(3);
    });
    cluster.writer.set(
      sets.map((set) => verdict(set, 'p')),
      policy,
    );
    cluster.before = () => undefined;
    for (const open of gates) open();
    await cluster.writer.settled();
    expect(cluster.most).toBe(3);
    for (const name of cluster.open.names()) expect(seen(cluster.open, name).summary['fail']).toBe(1);
    // The first three were under way; of the others only the newest was ever written.
    expect(cluster.asked().filter((call) => call.startsWith('replace'))).toHaveLength(3);
    expect(cluster.open.names()).toHaveLength(10);
  });

  it('writes nothing more after it was cleared, until the next verdicts', async () => {
    const cluster = new Cluster();
    await cluster.judged(verdict(a), verdict(b));
    cluster.before = () => {
      throw new ApiError('server', 'no');
    };
    await cluster.judged(verdict(a, 'p'), verdict(b));
    cluster.writer.clear();
    expect(cluster.clock.nextTimer).toBe(Infinity);
    cluster.before = () => undefined;
    cluster.asked();
    cluster.meddle(cluster.open, 'itms-b', { summary: {} });
    await cluster.pass(600_000);
    expect(cluster.asked()).toEqual([]);
    await cluster.judged(verdict(a, 'p'), verdict(b));
    expect(cluster.asked()).toEqual(['replace idms-a', 'replace itms-b']);
    expect(cluster.faults).toEqual(['server', undefined]);
  });

  it('does not write what was queued when it is cleared', async () => {
    const cluster = new Cluster({ concurrency: 1 });
    let open: () => void = () => undefined;
    cluster.before = () => new Promise<void>((resolve) => (open = resolve));
    void cluster.judged(verdict(a), verdict(b));
    await vi.waitFor(() => {
      expect(cluster.calls).toEqual(['create idms-a']);
    });
    cluster.writer.clear();
    open();
    await vi.waitFor(() => {
      expect(cluster.underWay).toBe(0);
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(cluster.calls).toEqual(['create idms-a']);
  });

  describe('on stop', () => {
    it('writes what is left, and nothing from then on', async () => {
      const cluster = new Cluster({ concurrency: 1 });
      void cluster.judged(verdict(a), verdict(b));
      await cluster.writer.stop();
      expect(cluster.open.names()).toEqual(['idms-a', 'itms-b']);
      cluster.asked();
      expect(cluster.open.listeners).toBe(0);
      await cluster.judged();
      await cluster.pass(600_000);
      expect(cluster.asked()).toEqual([]);
      expect(cluster.clock.nextTimer).toBe(Infinity);
    });

    it('does not wait for ever', async () => {
      const cluster = new Cluster();
      cluster.before = () => new Promise(() => undefined);
      void cluster.judged(verdict(a));
      let stopped = false;
      const stopping = cluster.writer.stop().then(() => (stopped = true));
      await new Promise((resolve) => setImmediate(resolve));
      expect(stopped).toBe(false);
      cluster.clock.goTo(cluster.clock.now() + 3_000);
      await stopping;
      expect(stopped).toBe(true);
    });

    it('tries nothing again', async () => {
      const cluster = new Cluster();
      cluster.before = () => {
        throw new ApiError('server', 'no');
      };
      await cluster.judged(verdict(a));
      await cluster.writer.stop();
      expect(cluster.clock.nextTimer).toBe(Infinity);
      cluster.asked();
      await cluster.pass(600_000);
      expect(cluster.asked()).toEqual([]);
    });
  });
});

/** A report of mirrorgate's own. */
function own(name: string): KubeObject {
  return { metadata: { name, labels: { 'app.kubernetes.io/managed-by': 'mirrorgate' } }, summary: {} };
}
