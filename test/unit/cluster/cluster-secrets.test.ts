import { describe, expect, it } from 'vitest';
import { clusterPullSecret } from '../../../src/cluster/cluster-secrets.js';
import type { ObjectFault } from '../../../src/cluster/object-fault.js';
import { countChanges, HeldObjects, secret } from './held-objects.js';

const key = { namespace: 'openshift-config', name: 'pull-secret' };
const auths = '{"auths":{"quay.io":{"auth":"dTpw"}}}';

function setUp(objects = new HeldObjects()) {
  const reports: (readonly ObjectFault[])[] = [];
  const source = clusterPullSecret({ objects, key }, (faults) => reports.push(faults));
  return { objects, source, reports, changes: countChanges(source) };
}

describe('clusterPullSecret', () => {
  it('is unknown until the Secret is, null without it, and its text when it is there', () => {
    const { objects, source, changes, reports } = setUp(HeldObjects.unknown());
    expect(source.current()).toBeUndefined();
    objects.set();
    expect(source.current()).toBeNull();
    objects.set(secret(key, { '.dockerconfigjson': auths }));
    expect(source.current()).toBe(auths);
    objects.set();
    expect(source.current()).toBeNull();
    expect(changes()).toBe(3);
    expect(reports).toEqual([]);
  });

  it('calls back only when the text has changed', () => {
    const { objects, source, changes } = setUp(new HeldObjects(secret(key, { '.dockerconfigjson': auths })));
    objects.set(secret(key, { '.dockerconfigjson': auths, other: 'x' }, { resourceVersion: '2' }));
    expect(changes()).toBe(0);
    objects.set(secret(key, { '.dockerconfigjson': '{}' }, { resourceVersion: '3' }));
    expect(changes()).toBe(1);
    expect(source.current()).toBe('{}');
  });

  it('takes a Secret without the key for none, says so once, and again when it is well', () => {
    const { objects, source, reports } = setUp(new HeldObjects(secret(key, { '.dockercfg': auths })));
    expect(source.current()).toBeNull();
    objects.set(secret(key, { '.dockercfg': auths }, { resourceVersion: '2' }));
    expect(reports).toHaveLength(1);
    expect(reports[0]).toEqual([
      {
        object: 'Secret openshift-config/pull-secret',
        path: 'data[".dockerconfigjson"]',
        message: expect.stringContaining('found none') as string,
      },
    ]);
    expect(JSON.stringify(reports)).not.toContain('dTpw');
    objects.set(secret(key, { '.dockerconfigjson': auths }, { resourceVersion: '3' }));
    expect(reports[1]).toEqual([]);
    expect(source.current()).toBe(auths);
  });
});
