import { describe, expect, it } from 'vitest';
import { clusterMirrorSets } from '../../../src/cluster/cluster-mirror-sets.js';
import type { KubeObject } from '../../../src/cluster/kube-object.js';
import type { ObjectFault } from '../../../src/cluster/object-fault.js';
import { countChanges, HeldObjects } from './held-objects.js';

const digestSet = (
  name: string,
  version: string,
  mirrors: unknown = ['m.io/a'],
  uid = `uid-${name}`,
): KubeObject => ({
  apiVersion: 'config.openshift.io/v1',
  kind: 'ImageDigestMirrorSet',
  metadata: { name, uid, resourceVersion: version },
  spec: { imageDigestMirrors: [{ source: 'quay.io/a', mirrors }] },
});
const tagSet = (name: string): KubeObject => ({
  metadata: { name, uid: `uid-${name}`, resourceVersion: '1' },
  spec: { imageTagMirrors: [{ source: 'quay.io/b', mirrors: ['m.io/b'] }] },
});
const imageConfig = (insecureRegistries: unknown): KubeObject => ({
  metadata: { name: 'cluster' },
  spec: { registrySources: { insecureRegistries } },
});

function setUp(known = true) {
  const digestSets = known ? new HeldObjects() : HeldObjects.unknown();
  const tagSets = known ? new HeldObjects() : HeldObjects.unknown();
  const images = known ? new HeldObjects() : HeldObjects.unknown();
  const reports: (readonly ObjectFault[])[] = [];
  const source = clusterMirrorSets({
    digestSets,
    tagSets,
    images,
    onFaults: (faults) => reports.push(faults),
  });
  return { digestSets, tagSets, images, source, reports, changes: countChanges(source) };
}

describe('clusterMirrorSets', () => {
  it('is unknown until all three kinds are known', () => {
    const { digestSets, tagSets, images, source, changes } = setUp(false);
    digestSets.set(digestSet('a', '1'));
    tagSets.set();
    expect(source.current()).toBeUndefined();
    expect(changes()).toBe(0);
    images.set();
    expect(source.current()).toMatchObject({ complete: true, insecureRegistries: [] });
    expect(source.current()?.sets.map(({ name }) => name)).toEqual(['a']);
    expect(changes()).toBe(1);
  });

  it('gives both kinds in one order, whatever order they were listed in', () => {
    const { digestSets, tagSets, source, changes } = setUp();
    digestSets.set(digestSet('b', '1'), digestSet('a', '1'));
    tagSets.set(tagSet('a'));
    expect(source.current()?.sets.map(({ kind, name }) => `${kind}/${name}`)).toEqual([
      'ImageDigestMirrorSet/a',
      'ImageDigestMirrorSet/b',
      'ImageTagMirrorSet/a',
    ]);
    const before = source.current();
    digestSets.set(digestSet('a', '1'), digestSet('b', '1'));
    expect(source.current()).toBe(before);
    expect(changes()).toBe(2);
  });

  it('keeps a set that did not change the same value when others change, and when it is listed anew', () => {
    const { digestSets, source } = setUp();
    digestSets.set(digestSet('a', '1'), digestSet('b', '1'));
    const [first] = source.current()!.sets;
    digestSets.set(digestSet('a', '1'), digestSet('b', '2', ['m.io/other/a']));
    expect(source.current()!.sets[0]).toBe(first);
    expect(source.current()!.sets[1]!.entries[0]!.mirrors[0]!.text).toBe('m.io/other/a');
  });

  it('calls nobody for a new version that says the same, and gives the newest object for Events', () => {
    const { digestSets, source, changes } = setUp();
    digestSets.set(digestSet('a', '1'));
    const before = source.current();
    digestSets.set(digestSet('a', '2'));
    expect(source.current()).toBe(before);
    expect(changes()).toBe(1);
    expect(source.objectOf(before!.sets[0]!)?.metadata.resourceVersion).toBe('2');
    digestSets.set();
    expect(source.objectOf(before!.sets[0]!)).toBeUndefined();
    expect(source.current()?.sets).toEqual([]);
  });

  it('keeps the last good version of a set that can no longer be read, and says which field', () => {
    const { digestSets, source, reports } = setUp();
    digestSets.set(digestSet('a', '1'));
    const [good] = source.current()!.sets;
    digestSets.set(digestSet('a', '2', 'no list'));
    expect(source.current()).toMatchObject({ complete: true, sets: [good] });
    expect(reports).toEqual([
      [
        {
          object: 'ImageDigestMirrorSet a',
          path: 'spec.imageDigestMirrors[0].mirrors',
          message: 'expected array, found string; its last good version stays in force',
        },
      ],
    ]);
    digestSets.set(digestSet('a', '3', ['m.io/new/a']));
    expect(reports).toHaveLength(2);
    expect(reports[1]).toEqual([]);
    expect(source.current()!.sets[0]!.entries[0]!.mirrors[0]!.text).toBe('m.io/new/a');
  });

  it('is not complete while a set was never read, also when one of that name was there before', () => {
    const { digestSets, source, reports } = setUp();
    digestSets.set(digestSet('a', '1'));
    digestSets.set(digestSet('a', '2', 'no list', 'another uid'));
    expect(source.current()).toMatchObject({ complete: false, sets: [] });
    expect(reports[0]?.[0]?.message).toContain('cannot be taken into account');
    digestSets.set();
    expect(source.current()).toMatchObject({ complete: true, sets: [] });
  });

  it('reports a fault once, not at every change of other objects', () => {
    const { digestSets, tagSets, reports } = setUp();
    digestSets.set(digestSet('a', '1', 'no list'));
    tagSets.set(tagSet('b'));
    digestSets.set(digestSet('a', '2', 'no list'), digestSet('c', '1'));
    expect(reports).toHaveLength(1);
  });

  it('reports what is wrong already when it is made', () => {
    const reports: unknown[] = [];
    clusterMirrorSets({
      digestSets: new HeldObjects(digestSet('a', '1', 'no list')),
      tagSets: new HeldObjects(),
      images: new HeldObjects(),
      onFaults: (faults) => reports.push(faults),
    });
    expect(reports).toHaveLength(1);
  });

  it('takes the insecure registries of the image config named cluster, and keeps them when they cannot be read', () => {
    const { images, source, reports, changes } = setUp();
    images.set(imageConfig(['a.io', '*.b.io']));
    expect(source.current()?.insecureRegistries).toEqual(['a.io', '*.b.io']);
    images.set(imageConfig('a.io'));
    expect(source.current()?.insecureRegistries).toEqual(['a.io', '*.b.io']);
    expect(reports[0]?.[0]).toMatchObject({
      object: 'Image cluster',
      path: 'spec.registrySources.insecureRegistries',
    });
    images.set({ metadata: { name: 'cluster' }, spec: {} });
    expect(source.current()?.insecureRegistries).toEqual([]);
    expect(changes()).toBe(2);
  });
});
