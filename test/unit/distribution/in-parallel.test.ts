import { describe, expect, it } from 'vitest';
import { inParallel } from '../../../src/distribution/in-parallel.js';

describe('inParallel', () => {
  it('gives results in the order of the items, with no more than the limit under way', async () => {
    let underWay = 0;
    let most = 0;
    const results = await inParallel([3, 1, 2, 5, 4], 2, async (item) => {
      most = Math.max(most, (underWay += 1));
      for (let turn = 0; turn < item; turn += 1) await Promise.resolve();
      underWay -= 1;
      return item * 10;
    });
    expect(results).toEqual([30, 10, 20, 50, 40]);
    expect(most).toBe(2);
  });

  it('starts nothing after a failure, and lets what is under way finish before it throws', async () => {
    const started: number[] = [];
    const finished: number[] = [];
    const run = inParallel([1, 2, 3, 4, 5], 2, async (item) => {
      started.push(item);
      if (item === 1) throw new Error('first');
      await new Promise((resolve) => setImmediate(resolve));
      finished.push(item);
    });
    await expect(run).rejects.toThrow('first');
    expect({ started, finished }).toEqual({ started: [1, 2], finished: [2] });
  });

  it('does nothing with no items', async () => {
    expect(await inParallel([], 4, () => Promise.reject(new Error('never')))).toEqual([]);
  });
});
