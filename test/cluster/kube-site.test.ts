import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { isApiError } from '../../src/cluster/api-error.js';
import type { KubeClient } from '../../src/cluster/kube-client.js';
import { resources, type KubeObject } from '../../src/cluster/kube-object.js';
import { startKubeSite, type KubeSite } from './kube-site.js';

const { imageDigestMirrorSets, imageTagMirrorSets, openReports, policyReports } = resources;

function digestSet(
  name: string,
  entry: Readonly<Record<string, unknown>> = { mirrors: ['mirror.example/org/app'] },
): KubeObject {
  return {
    apiVersion: imageDigestMirrorSets.apiVersion,
    kind: imageDigestMirrorSets.kind,
    metadata: { name },
    spec: { imageDigestMirrors: [{ source: 'quay.io/org/app', ...entry }] },
  };
}

/** What a watch from a version answers: the first event, or the code of the error that it ends with. */
async function firstOf(client: KubeClient, resourceVersion: string): Promise<string> {
  const over = new AbortController();
  let first: string | undefined;
  try {
    await client.watch(
      imageDigestMirrorSets,
      {},
      {
        resourceVersion,
        timeoutSeconds: 60,
        idleMs: 20_000,
        signal: over.signal,
        onEvent: (type, object) => {
          first ??= type === 'ERROR' ? `ERROR ${String(object['code'])}` : `${type} ${object.metadata.name}`;
          over.abort();
        },
      },
    );
  } catch (error) {
    if (first !== undefined) return first;
    if (isApiError(error)) return error.code;
    throw error;
  }
  return first ?? 'nothing';
}

describe('the definitions', () => {
  let site: KubeSite;
  let client: KubeClient;
  beforeAll(async () => {
    site = await startKubeSite();
    await site.installCrds('mirror-sets', 'images', 'infrastructures', 'openreports', 'wgpolicy');
    client = await site.client();
  });
  afterAll(() => site.stop());
  afterEach(async () => {
    for (const kind of [imageDigestMirrorSets, imageTagMirrorSets]) {
      for (const { metadata } of (await client.list(kind)).items) await client.remove(kind, metadata);
    }
  });

  test.each([
    ['a repository', 'quay.io/org/app'],
    ['a registry', 'quay.io'],
    ['a registry with a port', 'registry.local:5000/a/b'],
    ['a domain', '*.redhat.io'],
    ['all separators of a path', 'h/a.b_c__d---e'],
    ['a host in upper case', 'Quay.IO/org'],
  ])('take %s as source', async (_, source) => {
    await client.create(imageDigestMirrorSets, digestSet('fine', { source, mirrors: ['m.example/org'] }));
  });

  test.each([
    ['a scheme', { source: 'https://quay.io' }],
    ['a tag', { source: 'quay.io/org/app:1.2' }],
    ['a digest', { source: `quay.io/org/app@sha256:${'0'.repeat(64)}` }],
    ['upper case in a path', { source: 'quay.io/Org' }],
    ['a path behind a domain', { source: '*.redhat.io/ubi9' }],
    ['an empty segment', { source: 'quay.io//app' }],
    ['a hyphen at the end of a label', { source: 'quay-.io' }],
    ['a domain as mirror', { mirrors: ['*.mirror.example'] }],
    ['a mirror twice', { mirrors: ['m.example', 'm.example'] }],
    ['a policy that there is not', { mirrorSourcePolicy: 'Never' }],
    ['no source', { source: undefined }],
  ])('refuse %s', async (_, entry) => {
    await expect(client.create(imageDigestMirrorSets, digestSet('bad', entry))).rejects.toMatchObject({
      code: 'invalid',
    });
    const tagSet = {
      apiVersion: imageTagMirrorSets.apiVersion,
      kind: imageTagMirrorSets.kind,
      metadata: { name: 'bad' },
      spec: { imageTagMirrors: [{ source: 'quay.io/org/app', ...entry }] },
    };
    await expect(client.create(imageTagMirrorSets, tagSet)).rejects.toMatchObject({ code: 'invalid' });
  });

  test('give the short names to kubectl', async () => {
    await client.create(imageDigestMirrorSets, digestSet('fine'));
    expect((await site.kubectl(['get', 'idms', '-o', 'name'])).stdout).toBe(
      'imagedigestmirrorset.config.openshift.io/fine\n',
    );
    expect((await site.kubectl(['get', 'itms'])).stderr).toBe('No resources found\n');
  });

  test.each([openReports, policyReports])('of $kind keep what they know and no more', async (kind) => {
    const report = {
      apiVersion: kind.apiVersion,
      kind: kind.kind,
      metadata: { name: 'fine' },
      scope: { kind: 'ImageDigestMirrorSet', name: 'fine' },
      summary: { pass: 0, fail: 1, warn: 0, error: 0, skip: 0 },
      results: [{ policy: 'baseline', rule: 'windows-mirror-path', result: 'fail', severity: 'high' }],
    };
    const kept = await client.create(kind, { ...report, another: 'field' });
    expect(kept).toMatchObject(report);
    expect(kept).not.toHaveProperty('another');

    const unknown = {
      ...report,
      metadata: { name: 'bad' },
      results: [{ policy: 'baseline', result: 'deny' }],
    };
    await expect(client.create(kind, unknown)).rejects.toMatchObject({ code: 'invalid' });
  });

  test('may be installed twice', async () => {
    await site.installCrds('mirror-sets', 'images');
  });
});

describe('the API server', () => {
  let site: KubeSite;
  let client: KubeClient;
  beforeAll(async () => {
    site = await startKubeSite({ users: [{ name: 'jane', groups: ['developers'] }] });
    await site.installCrds('mirror-sets');
    client = await site.client();
  });
  afterAll(() => site.stop());

  test('knows who asks', async () => {
    const asService = await site.client(await site.kubeconfigFor('mirrorgate'));
    await expect(asService.list(resources.nodes)).rejects.toMatchObject({
      code: 'forbidden',
      message: expect.stringContaining('"system:serviceaccount:mirrorgate:mirrorgate"') as string,
    });
    const kubeconfig = await site.kubeconfigFor('jane');
    const { stderr } = await site.kubectl(['get', 'idms'], { kubeconfig, expectFailure: true });
    expect(stderr).toContain('User "jane" cannot list resource "imagedigestmirrorsets"');
    await expect(site.kubeconfigFor('nobody')).rejects.toThrow('nobody is called "nobody"');
  });

  test.each(['stopApiServer', 'killApiServer'] as const)(
    'comes back after %s with the same objects, certificate and port',
    async (end) => {
      const before = await client.create(imageDigestMirrorSets, digestSet(end.toLowerCase()));
      const certificate = readFileSync(site.caFile, 'utf8');
      await site[end]();
      await expect(client.list(imageDigestMirrorSets)).rejects.toMatchObject({ code: 'unreachable' });
      await site.startApiServer();
      expect(readFileSync(site.caFile, 'utf8')).toBe(certificate);
      await vi.waitFor(async () => {
        const after = await client.get(imageDigestMirrorSets, { name: end.toLowerCase() });
        expect(after?.metadata.uid).toBe(before.metadata.uid);
      });
    },
  );

  test('answers nothing while it is frozen, and all of it afterwards', async () => {
    site.freezeApiServer();
    let answered = false;
    const answer = client.list(imageDigestMirrorSets).finally(() => (answered = true));
    try {
      const hasty = client.list(imageDigestMirrorSets, {}, AbortSignal.timeout(500));
      await expect(hasty).rejects.toMatchObject({ code: 'unreachable' });
      expect(answered).toBe(false);
    } finally {
      site.thawApiServer();
    }
    await expect(answer).resolves.toHaveProperty('items');
  });

  test('answers a watch with 410 after a restart when etcd has forgotten its version', async () => {
    const { metadata } = await client.create(imageDigestMirrorSets, digestSet('first'));
    await client.create(imageDigestMirrorSets, digestSet('second'));
    expect(await firstOf(client, metadata.resourceVersion ?? '')).toBe('ADDED second');
    await site.compactEtcd();
    await site.killApiServer();
    await site.startApiServer();
    expect(await firstOf(client, metadata.resourceVersion ?? '')).toMatch(/^(gone|ERROR 410)$/);
  });
});

test('without its watch cache an API server answers a watch from before a compaction with 410 at once', async () => {
  const site = await startKubeSite({ watchCache: false, namespaces: [] });
  try {
    await site.installCrds('mirror-sets');
    const client = await site.client();
    const { metadata } = await client.create(imageDigestMirrorSets, digestSet('first'));
    await client.create(imageDigestMirrorSets, digestSet('second'));
    expect(await firstOf(client, metadata.resourceVersion ?? '')).toBe('ADDED second');
    await site.compactEtcd();
    expect(await firstOf(client, metadata.resourceVersion ?? '')).toMatch(/^(gone|ERROR 410)$/);
    const { resourceVersion } = await client.list(imageDigestMirrorSets);
    const next = firstOf(client, resourceVersion);
    await client.create(imageDigestMirrorSets, digestSet('third'));
    expect(await next).toBe('ADDED third');
  } finally {
    await site.stop();
  }
});
