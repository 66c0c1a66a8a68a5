import { describe, expect, it } from 'vitest';
import { TokenBuckets } from '../../../src/cluster/token-buckets.js';

describe('TokenBuckets', () => {
  it('gives a burst, then one per refill time, to each key by itself', () => {
    const buckets = new TokenBuckets({ burst: 2, refillMs: 1000 });
    expect([0, 0, 0, 999].map((now) => buckets.take('a', now))).toEqual([true, true, false, false]);
    expect(buckets.take('b', 999)).toBe(true);
    expect([1000, 1000, 1500, 2000].map((now) => buckets.take('a', now))).toEqual([true, false, false, true]);
  });

  it('never holds more than the burst', () => {
    const buckets = new TokenBuckets({ burst: 2, refillMs: 1000 });
    buckets.take('a', 0);
    expect([60_000, 60_000, 60_000].map((now) => buckets.take('a', now))).toEqual([true, true, false]);
  });

  it('goes on counting for those in use while thousands of others come and go', () => {
    const buckets = new TokenBuckets({ burst: 1, refillMs: 1000 });
    expect(buckets.take('busy', 0)).toBe(true);
    for (let other = 0; other < 5000; other += 1) buckets.take(`other-${other}`, other / 10);
    expect(buckets.take('busy', 999)).toBe(false);
    expect(buckets.take('busy', 1000)).toBe(true);
  });
});
