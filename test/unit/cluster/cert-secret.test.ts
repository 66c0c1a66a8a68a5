import { describe, expect, it } from 'vitest';
import { certSecret } from '../../../src/cluster/cert-secret.js';
import { resources, type KubeObject } from '../../../src/cluster/kube-object.js';
import { FakeApi } from './fake-api.js';
import { countChanges, HeldObjects, secret } from './held-objects.js';

const key = { namespace: 'mirrorgate', name: 'mirrorgate-tls' };

/** A store over a view that shows what is in the API when the test says so. */
function site(...objects: readonly KubeObject[]) {
  const api = new FakeApi();
  for (const object of objects) api.create(resources.secrets, object);
  const view = HeldObjects.unknown();
  const show = () => {
    view.set(...api.all(resources.secrets));
  };
  return { api, view, show, store: certSecret({ client: api.client(), reflector: view, ...key }) };
}

function textOf(object: KubeObject | undefined, name: string): string {
  const data = object?.['data'] as Record<string, string>;
  return Buffer.from(data[name] ?? '', 'base64').toString();
}

describe('certSecret', () => {
  it('knows nothing at first, then that there is no Secret, then what it holds', () => {
    const { api, store, show, view } = site();
    const changes = countChanges(store);
    expect(store.name).toBe('Secret mirrorgate/mirrorgate-tls');
    expect(store.current()).toBeUndefined();
    show();
    expect(store.current()).toBeNull();
    const { metadata } = api.create(
      resources.secrets,
      secret(key, { 'tls.crt': 'one', 'tls.key': 'zwei ü' }),
    );
    show();
    expect(store.current()).toEqual({
      data: { 'tls.crt': 'one', 'tls.key': 'zwei ü' },
      version: metadata.resourceVersion,
    });
    expect(store.current()).toBe(store.current());
    expect(changes()).toBe(2);
    view.set(secret({ ...key, name: 'another' }, {}));
    expect(store.current()).toBeNull();
  });

  it('reads data that is none as empty', () => {
    const { store, view } = site();
    view.set({ ...secret(key, {}), data: undefined });
    expect(store.current()).toMatchObject({ data: {} });
    view.set({ ...secret(key, {}, { resourceVersion: '2' }), data: { 'tls.crt': 7 } });
    expect(store.current()).toMatchObject({ data: { 'tls.crt': '' } });
  });

  it('creates a kubernetes.io/tls Secret of its own, unless somebody was first', async () => {
    const { api, store, show } = site();
    show();
    const saved = await store.save({ 'tls.crt': 'one' }, undefined);
    const made = api.get(resources.secrets, key);
    expect(saved).toEqual({ kind: 'saved', version: made?.metadata.resourceVersion });
    expect(made).toMatchObject({
      type: 'kubernetes.io/tls',
      metadata: { labels: { 'app.kubernetes.io/managed-by': 'mirrorgate' } },
    });
    expect(textOf(made, 'tls.crt')).toBe('one');
    expect(await store.save({ 'tls.crt': 'two' }, undefined)).toEqual({ kind: 'conflict' });
    expect(textOf(api.get(resources.secrets, key), 'tls.crt')).toBe('one');
  });

  it('changes its keys alone: other keys, labels, annotations and the type stay', async () => {
    const foreign = {
      ...secret(key, { 'tls.crt': 'old', note: 'mine' }),
      metadata: { ...key, labels: { team: 'a' }, annotations: { why: 'b' } },
    };
    const { api, store, show } = site(foreign);
    show();
    const saved = await store.save({ 'tls.crt': 'new' }, store.current()?.version);
    const now = api.get(resources.secrets, key);
    expect(saved).toEqual({ kind: 'saved', version: now?.metadata.resourceVersion });
    expect(now).toMatchObject({
      type: 'Opaque',
      metadata: {
        labels: { team: 'a', 'app.kubernetes.io/managed-by': 'mirrorgate' },
        annotations: { why: 'b' },
      },
    });
    expect([textOf(now, 'tls.crt'), textOf(now, 'note')]).toEqual(['new', 'mine']);
  });

  it('writes again over what it has just written, before the view shows it', async () => {
    const { api, store, show } = site();
    show();
    const first = await store.save({ 'tls.crt': 'one' }, undefined);
    if (first.kind !== 'saved') throw new Error('not saved');
    expect(await store.save({ 'tls.crt': 'two' }, first.version)).toMatchObject({ kind: 'saved' });
    expect(textOf(api.get(resources.secrets, key), 'tls.crt')).toBe('two');
  });

  it('never writes over what it has not seen', async () => {
    const { api, store, show } = site(secret(key, { 'tls.crt': 'one' }));
    show();
    const { version } = store.current() ?? {};
    api.put(resources.secrets, secret(key, { 'tls.crt': 'theirs' }));
    expect(await store.save({ 'tls.crt': 'ours' }, version)).toEqual({ kind: 'conflict' });
    api.remove(resources.secrets, key);
    expect(await store.save({ 'tls.crt': 'ours' }, version)).toEqual({ kind: 'conflict' });
    expect(await store.save({ 'tls.crt': 'ours' }, 'another')).toEqual({ kind: 'conflict' });
    expect(api.get(resources.secrets, key)).toBeUndefined();
  });

  it('rejects when the API server does not take it', async () => {
    const { api, show, view } = site();
    show();
    const before = () => Promise.reject(new Error('forbidden'));
    const store = certSecret({ client: api.client({ before }), reflector: view, ...key });
    await expect(store.save({}, undefined)).rejects.toThrow('forbidden');
  });
});
