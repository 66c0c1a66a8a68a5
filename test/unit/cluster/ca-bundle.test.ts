import { describe, expect, it } from 'vitest';
import { caBundle } from '../../../src/cluster/ca-bundle.js';
import { resources, type KubeObject } from '../../../src/cluster/kube-object.js';
import { FakeApi } from './fake-api.js';
import { HeldObjects } from './held-objects.js';

const { validatingWebhookConfigurations: kind } = resources;
const base64 = (text: string) => Buffer.from(text).toString('base64');

function configuration(
  clientConfigs: readonly object[],
  annotations: Readonly<Record<string, string>> = {},
): KubeObject {
  return {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    metadata: { name: 'mirrorgate', labels: { a: 'b' }, annotations },
    webhooks: clientConfigs.map((clientConfig, n) => ({
      name: `w${n}`,
      clientConfig,
      failurePolicy: 'Ignore',
    })),
  };
}

function site(...objects: readonly KubeObject[]) {
  const api = new FakeApi();
  for (const object of objects) api.create(kind, object);
  const view = HeldObjects.unknown();
  const show = () => {
    view.set(...api.all(kind));
  };
  return { api, view, show, target: caBundle({ client: api.client(), reflector: view, name: 'mirrorgate' }) };
}

describe('caBundle', () => {
  it('knows nothing at first, then that the configuration is missing, and where it comes from', () => {
    const { target, show } = site();
    expect(target.current()).toBeUndefined();
    show();
    expect(target.current()).toEqual({ kind: 'absent' });
    expect(target.current()).toBe(target.current());
    expect(target.name).toBe('ValidatingWebhookConfiguration mirrorgate');
    expect(target.absentHint).toBe('apply it again: it is part of manifests/base');
  });

  it('reads the bundle of every webhook, empty where there is none', () => {
    const { target, show } = site(configuration([{ caBundle: base64('PEM') }, { url: 'https://x' }, {}]));
    show();
    expect(target.current()).toEqual({ kind: 'present', bundles: ['PEM', '', ''] });
    expect(target.current()).toBe(target.current());
  });

  it('writes one bundle for every webhook and leaves the rest as it is', async () => {
    const service = { service: { name: 'mirrorgate', namespace: 'mirrorgate' } };
    const { api, target, show } = site(configuration([service, { url: 'https://x', caBundle: 'eA==' }]));
    show();
    expect(await target.inject('PEM')).toBe('injected');
    const caBundleText = base64('PEM');
    expect(api.get(kind, { name: 'mirrorgate' })).toMatchObject({
      metadata: { labels: { a: 'b' } },
      webhooks: [
        { name: 'w0', clientConfig: { ...service, caBundle: caBundleText }, failurePolicy: 'Ignore' },
        { name: 'w1', clientConfig: { url: 'https://x', caBundle: caBundleText }, failurePolicy: 'Ignore' },
      ],
    });
  });

  it('never undoes what somebody has changed meanwhile', async () => {
    const { api, target, show } = site(configuration([{}]));
    show();
    api.put(kind, configuration([{}, {}]));
    expect(await target.inject('PEM')).toBe('conflict');
    api.remove(kind, { name: 'mirrorgate' });
    expect(await target.inject('PEM')).toBe('conflict');
    show();
    expect(await target.inject('PEM')).toBe('conflict');
    expect(api.all(kind)).toEqual([]);
  });

  it('rejects when the API server does not take it', async () => {
    const { api, view, show } = site(configuration([{}]));
    show();
    const before = () => Promise.reject(new Error('forbidden'));
    const target = caBundle({ client: api.client({ before }), reflector: view, name: 'mirrorgate' });
    await expect(target.inject('PEM')).rejects.toThrow('forbidden');
  });

  it.each([
    ['cert-manager.io/inject-ca-from', 'mirrorgate/serving', 'cert-manager'],
    ['cert-manager.io/inject-ca-from-secret', 'mirrorgate/ca', 'cert-manager'],
    ['cert-manager.io/inject-apiserver-ca', 'true', 'cert-manager'],
    ['service.beta.openshift.io/inject-cabundle', 'true', "OpenShift's service CA"],
  ])('leaves the bundle to who is told to write it by %s', (annotation, value, who) => {
    const { target, show } = site(configuration([{}], { [annotation]: value }));
    show();
    expect(target.current()).toEqual({
      kind: 'managed-elsewhere',
      by: `the annotation ${annotation} has ${who} write it`,
    });
  });

  it.each(['', 'false'])('takes an annotation that says %j for none', (value) => {
    const { target, show } = site(configuration([{}], { 'cert-manager.io/inject-apiserver-ca': value }));
    show();
    expect(target.current()).toEqual({ kind: 'present', bundles: [''] });
  });
});
