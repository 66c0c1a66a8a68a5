import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ApiError } from '../../src/cluster/api-error.js';
import { clusterMirrorSets } from '../../src/cluster/cluster-mirror-sets.js';
import type { KubeClient } from '../../src/cluster/kube-client.js';
import { resources, type ApiResource, type KubeObject } from '../../src/cluster/kube-object.js';
import { Reflector } from '../../src/cluster/reflector.js';
import { ReportWriter } from '../../src/cluster/report-writer.js';
import { judgeExisting } from '../../src/controller/judge-existing.js';
import { systemClock } from '../../src/distribution/clock.js';
import { noInsecureRegistries } from '../../src/mirrors/insecure-registries.js';
import { defaultPolicy } from '../../src/policy/policy.js';
import type { Profile } from '../../src/policy/profile.js';
import { startKubeSite, type KubeSite } from './kube-site.js';

const { imageDigestMirrorSets, imageTagMirrorSets, openReports, policyReports } = resources;
const patience = { timeout: 30_000, interval: 50 };

/** One mirrorgate, as far as reports go: it follows sets and reports, judges, and writes. */
class Replica {
  readonly faults: ApiError[] = [];
  readonly writes: string[] = [];
  profile: Profile = 'baseline';
  readonly #reflectors: readonly Reflector[];
  readonly #sets;
  readonly #writer: ReportWriter;

  constructor(client: KubeClient) {
    const follow = (resource: ApiResource, labelSelector?: string) =>
      new Reflector({
        client,
        resource,
        scope: { labelSelector },
        // A kind that is installed meanwhile is seen soon.
        timings: { backoff: { shortest: 50, longest: 200 } },
      });
    const own = 'app.kubernetes.io/managed-by=mirrorgate';
    const digestSets = follow(imageDigestMirrorSets);
    const tagSets = follow(imageTagMirrorSets);
    const images = follow(resources.images);
    const open = follow(openReports, own);
    const group = follow(policyReports, own);
    this.#reflectors = [digestSets, tagSets, images, open, group];
    this.#sets = clusterMirrorSets({ digestSets, tagSets, images, onFaults: () => undefined });
    const told = async <T>(what: string, name: string, answer: Promise<T>): Promise<T> => {
      this.writes.push(`${what} ${name}`);
      return answer;
    };
    this.#writer = new ReportWriter({
      client: {
        create: (resource, object) => told('create', object.metadata.name, client.create(resource, object)),
        replace: (resource, object) =>
          told('replace', object.metadata.name, client.replace(resource, object)),
        remove: (resource, key) => told('remove', key.name, client.remove(resource, key)),
      },
      openReports: open,
      policyReports: group,
      objectOf: (set) => this.#sets.objectOf(set),
      now: () => new Date(),
      clock: systemClock,
      onFault: (fault) => {
        if (fault !== undefined) this.faults.push(fault);
      },
    });
    this.#sets.onChange(() => {
      this.judge();
    });
    for (const reflector of this.#reflectors) reflector.start();
  }

  judge(profile = this.profile): void {
    this.profile = profile;
    const snapshot = this.#sets.current();
    if (snapshot === undefined) return;
    const policy = defaultPolicy(profile);
    const context = { policy, insecure: noInsecureRegistries, now: new Date() };
    this.#writer.set(judgeExisting(snapshot.sets, context), policy);
  }

  /** Everything that is there is known, and everything that follows from it is written. */
  async settled(): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.whenSynced()));
    this.judge();
    await this.#writer.settled();
  }

  async stop(): Promise<void> {
    await this.#writer.stop();
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
  }
}

function digestSet(name: string, ...mirrors: readonly string[]): KubeObject {
  return {
    ...{ apiVersion: imageDigestMirrorSets.apiVersion, kind: imageDigestMirrorSets.kind },
    metadata: { name },
    spec: { imageDigestMirrors: [{ source: 'quay.io/org/app', mirrors }] },
  };
}

const sound = digestSet('sound', 'mirror.example/org/app');
const misnamed = digestSet('misnamed', 'mirror.example/other');
const byTag: KubeObject = {
  ...{ apiVersion: imageTagMirrorSets.apiVersion, kind: imageTagMirrorSets.kind },
  metadata: { name: 'by-tag' },
  spec: { imageTagMirrors: [{ source: 'quay.io/org/app', mirrors: ['mirror.example/org/app'] }] },
};

describe('reports on mirror sets', () => {
  let site: KubeSite;
  let client: KubeClient;
  const replicas: Replica[] = [];
  const start = (): Replica => {
    const replica = new Replica(client);
    replicas.push(replica);
    return replica;
  };
  const all = async (kind: ApiResource) =>
    new Map((await client.list(kind)).items.map((object) => [object.metadata.name, object]));
  const versions = async (kind: ApiResource) =>
    [...(await all(kind)).values()].map(({ metadata }) => [metadata.name, metadata.resourceVersion]);
  const eventually = (check: () => Promise<void>) => vi.waitFor(check, patience);

  beforeAll(async () => {
    site = await startKubeSite();
    await site.installCrds('mirror-sets');
    client = await site.client();
  });
  afterAll(() => site.stop());
  afterEach(async () => {
    await Promise.all(replicas.splice(0).map((replica) => replica.stop()));
    for (const kind of [imageDigestMirrorSets, imageTagMirrorSets, openReports, policyReports]) {
      for (const { metadata } of (await client.list(kind)).items) await client.remove(kind, metadata);
    }
  });

  // In the order in which a cluster gets its kinds.
  test('are written when a kind for them is installed, and move when a better one is', async () => {
    await client.create(imageDigestMirrorSets, misnamed);
    await client.create(imageDigestMirrorSets, sound);
    const { metadata } = await client.create(imageTagMirrorSets, byTag);
    const replica = start();
    await replica.settled();
    expect(replica.writes).toEqual([]);

    await site.installCrds('wgpolicy');
    await eventually(async () => {
      expect([...(await all(policyReports)).keys()]).toEqual(['idms-misnamed', 'idms-sound', 'itms-by-tag']);
    });
    const inGroup = await all(policyReports);
    expect(inGroup.get('itms-by-tag')).toMatchObject({
      metadata: { ownerReferences: [{ kind: 'ImageTagMirrorSet', name: 'by-tag', uid: metadata.uid }] },
      scope: { apiVersion: 'config.openshift.io/v1', name: 'by-tag', uid: metadata.uid },
      results: [
        { rule: 'itms-widened-on-windows', result: 'warn', severity: 'medium' },
        { rule: 'digest-required', result: 'warn', severity: 'low' },
      ],
    });

    await site.installCrds('openreports');
    await eventually(async () => {
      expect((await all(policyReports)).size).toBe(0);
      expect((await all(openReports)).size).toBe(3);
    });
    const { stdout } = await site.kubectl(['get', 'creps', '--no-headers']);
    const columns = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/).slice(0, 6).join(' '));
    // NAME PASS FAIL WARN ERROR SKIP
    expect(columns).toEqual(['idms-misnamed 0 1 0 0 0', 'idms-sound 1 0 0 0 0', 'itms-by-tag 0 0 2 0 0']);
    expect((await all(openReports)).get('idms-misnamed')).toMatchObject({
      source: 'mirrorgate',
      results: [{ rule: 'windows-mirror-path', result: 'fail', severity: 'high', scored: true }],
    });
    expect(replica.faults).toEqual([]);
  });

  test('are not written again where nothing has changed, nor by another replica', async () => {
    await client.create(imageDigestMirrorSets, misnamed);
    await client.create(imageDigestMirrorSets, sound);
    const first = start();
    await eventually(async () => {
      await first.settled();
      expect((await all(openReports)).size).toBe(2);
    });
    const before = await versions(openReports);
    const { length } = first.writes;
    await first.settled();
    const second = start();
    await second.settled();
    expect(first.writes).toHaveLength(length);
    expect(second.writes).toEqual([]);
    expect(await versions(openReports)).toEqual(before);

    // One of them says something else now.
    await client.patch(imageDigestMirrorSets, { name: 'sound' }, 'merge', {
      spec: { imageDigestMirrors: [{ source: 'quay.io/org/app', mirrors: ['mirror.example/b'] }] },
    });
    await eventually(async () => {
      expect((await all(openReports)).get('idms-sound')).toMatchObject({ summary: { pass: 0, fail: 1 } });
    });
    expect((await versions(openReports))[0]).toEqual(before[0]);
  });

  test('go with their sets', async () => {
    await client.create(imageDigestMirrorSets, misnamed);
    await client.create(imageDigestMirrorSets, sound);
    start();
    await eventually(async () => {
      expect([...(await all(openReports)).keys()]).toEqual(['idms-misnamed', 'idms-sound']);
    });
    await client.remove(imageDigestMirrorSets, { name: 'misnamed' });
    await eventually(async () => {
      expect([...(await all(openReports)).keys()]).toEqual(['idms-sound']);
    });
  });

  test('are put right when somebody changes or deletes them, with what else is in their metadata', async () => {
    await client.create(imageDigestMirrorSets, misnamed);
    const replica = start();
    const isRight = async () => {
      await eventually(async () => {
        expect((await all(openReports)).get('idms-misnamed')).toMatchObject({ summary: { fail: 1 } });
      });
    };
    await isRight();
    await client.patch(openReports, { name: 'idms-misnamed' }, 'merge', {
      metadata: { annotations: { note: 'kept' } },
      summary: { fail: 0 },
    });
    await isRight();
    expect((await all(openReports)).get('idms-misnamed')?.metadata.annotations).toEqual({ note: 'kept' });
    await client.remove(openReports, { name: 'idms-misnamed' });
    await isRight();
    expect(replica.faults).toEqual([]);
  });

  test('of others are left alone', async () => {
    const foreign = {
      ...{ apiVersion: openReports.apiVersion, kind: openReports.kind },
      results: [{ policy: 'theirs', timestamp: { seconds: 1, nanos: 0 } }],
    };
    await client.create(openReports, { ...foreign, metadata: { name: 'theirs' } });
    await client.create(openReports, { ...foreign, metadata: { name: 'idms-sound' } });
    await client.create(imageDigestMirrorSets, sound);
    const replica = start();
    await eventually(async () => {
      await replica.settled();
      expect(replica.faults.map(({ code }) => code)).toEqual(['already-exists']);
    });
    for (const name of ['theirs', 'idms-sound']) {
      expect((await all(openReports)).get(name)).toMatchObject(foreign);
      await client.remove(openReports, { name });
    }
    await eventually(async () => {
      expect((await all(openReports)).get('idms-sound')).toMatchObject({ summary: { pass: 1 } });
    });
  });

  test('fit into etcd, however much there is to say', async () => {
    const path = Array.from({ length: 6 }, (_, index) => `segment-${index}-${'x'.repeat(60)}`).join('/');
    await client.create(imageDigestMirrorSets, {
      ...digestSet('huge'),
      spec: {
        imageDigestMirrors: Array.from({ length: 1_000 }, (_, index) => ({
          source: `quay.io/org-${index}/${path}`,
          mirrors: [`mirror.example/${index}/${path.slice(0, -1)}`],
        })),
      },
    });
    const replica = start();
    await eventually(async () => {
      expect((await all(openReports)).get('idms-huge')).toMatchObject({ summary: { fail: 1_000 } });
    });
    const report = (await all(openReports)).get('idms-huge');
    const results = report?.['results'] as readonly { readonly properties: Record<string, string> }[];
    expect(results.length).toBeLessThanOrEqual(500);
    expect(results.length - 1 + Number(results.at(-1)?.properties['omitted'])).toBe(1_000);
    replica.judge('audit');
    await eventually(async () => {
      expect((await all(openReports)).get('idms-huge')).toMatchObject({ summary: { fail: 0, warn: 1_000 } });
    });
    expect(replica.faults).toEqual([]);
  });
});
