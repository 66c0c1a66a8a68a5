import { expect, it } from 'vitest';
import type { KubeObject } from '../../../src/cluster/kube-object.js';
import { ObjectCache } from '../../../src/cluster/object-cache.js';

const object = (name: string, uid: string, resourceVersion: string): KubeObject => ({
  metadata: { name, uid, resourceVersion },
});

it('tells objects apart by uid too: after a restored backup the same version may be another object', () => {
  const cache = new ObjectCache();
  cache.replaceAll([object('a', 'one', '7')]);
  expect(cache.replaceAll([object('a', 'one', '7')])).toBe(false);
  expect(cache.replaceAll([object('a', 'two', '7')])).toBe(true);
  expect(cache.put(object('a', 'two', '7'))).toBe(false);
  expect(cache.put(object('a', 'three', '7'))).toBe(true);
  expect(cache.current()?.get('a')?.metadata.uid).toBe('three');
});

it('is filled by an empty list, and that is a change once', () => {
  const cache = new ObjectCache();
  expect(cache.current()).toBeUndefined();
  expect(cache.replaceAll([])).toBe(true);
  expect(cache.current()?.size).toBe(0);
  expect(cache.replaceAll([])).toBe(false);
});

it('gives out another map after a change, and the same one without', () => {
  const cache = new ObjectCache();
  cache.replaceAll([]);
  const before = cache.current();
  cache.put(object('a', 'one', '1'));
  const after = cache.current();
  expect(after).not.toBe(before);
  expect(cache.drop(object('b', 'two', '2'))).toBe(false);
  expect(cache.current()).toBe(after);
  expect(before?.size).toBe(0);
});

it('keeps the object that did not change when another one of the list did', () => {
  const cache = new ObjectCache();
  const kept = object('a', 'one', '1');
  cache.replaceAll([kept]);
  expect(cache.replaceAll([object('a', 'one', '1'), object('b', 'two', '2')])).toBe(true);
  expect(cache.current()?.get('a')).toBe(kept);
});
