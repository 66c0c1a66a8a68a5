import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { isApiError } from '../../src/cluster/api-error.js';
import { resources } from '../../src/cluster/kube-object.js';
import { startKubeSite, type KubeSite } from './kube-site.js';

const idms = (name: string, source = 'quay.io/org/app', mirrors = ['mirror.example/org/app']) =>
  JSON.stringify({
    apiVersion: 'config.openshift.io/v1',
    kind: 'ImageDigestMirrorSet',
    metadata: { name },
    spec: { imageDigestMirrors: [{ source, mirrors }] },
  });

describe('a test cluster', () => {
  let site: KubeSite;
  beforeAll(async () => {
    site = await startKubeSite();
    await site.installCrds('mirror-sets');
  });
  afterAll(() => site.stop());

  test('takes a mirror set', async () => {
    const { stdout } = await site.kubectl(['create', '-f', '-'], { input: idms('fine') });
    expect(stdout).toBe('imagedigestmirrorset.config.openshift.io/fine created\n');
  });
});
