import { describe, expect, it, vi } from 'vitest';
import { remember } from '../../../src/mirrors/remember.js';

describe('remember', () => {
  it('computes once for each object, told apart by identity, whatever the result', () => {
    const compute = vi.fn((list: readonly number[]) => (list.length === 0 ? undefined : list.length));
    const remembered = remember(compute);
    const [one, other, empty]: [number[], number[], number[]] = [[1], [1], []];
    expect([one, one, other, empty, empty].map(remembered)).toEqual([1, 1, 1, undefined, undefined]);
    expect(compute).toHaveBeenCalledTimes(3);
  });
});
