import { describe, expect, it } from 'vitest';
import { deriveSource } from '../../../src/cluster/derive-source.js';
import { countChanges, HeldObjects } from './held-objects.js';

const object = (name: string, labels: Record<string, string> = {}) => ({ metadata: { name, labels } });
const names = (source: HeldObjects) => () => {
  const objects = source.current();
  return objects === undefined ? undefined : [...objects.keys()];
};

describe('deriveSource', () => {
  it('is unknown until it can be worked out, and then calls back', () => {
    const input = HeldObjects.unknown();
    const derived = deriveSource([input], names(input));
    const changes = countChanges(derived);
    expect(derived.current()).toBeUndefined();
    input.set(object('a'));
    expect(derived.current()).toEqual(['a']);
    expect(changes()).toBe(1);
  });

  it('stays the same value, and calls nobody, while what is worked out is equal', () => {
    const input = new HeldObjects(object('a'));
    const derived = deriveSource([input], names(input));
    const changes = countChanges(derived);
    const before = derived.current();
    input.set(object('a', { heartbeat: '2' }));
    expect(derived.current()).toBe(before);
    expect(changes()).toBe(0);
    input.set(object('b'));
    expect(changes()).toBe(1);
  });

  it('works nothing out twice while its inputs stay', () => {
    const input = new HeldObjects(object('a'));
    let count = 0;
    const derived = deriveSource([input], () => (count += 1));
    derived.current();
    derived.current();
    expect(count).toBe(1);
  });

  it('gives what is new to a listener of the input that hears of it earlier, and still calls its own', () => {
    const input = new HeldObjects(object('a'));
    const heard: unknown[] = [];
    let ask: () => unknown = () => undefined;
    input.onChange(() => heard.push(ask()));
    const derived = deriveSource([input], names(input));
    ask = () => derived.current();
    const changes = countChanges(derived);
    input.set(object('b'));
    expect(heard).toEqual([['b']]);
    expect(changes()).toBe(1);
  });

  it('calls no listener that has left', () => {
    const input = new HeldObjects(object('a'));
    const derived = deriveSource([input], names(input));
    let count = 0;
    const leave = derived.onChange(() => (count += 1));
    leave();
    input.set(object('b'));
    expect(count).toBe(0);
  });
});
