import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffDelay } from '../../../src/distribution/backoff.js';

const nearlyOne = 1 - Number.EPSILON;

describe('backoffDelay', () => {
  it('doubles from 5 s and ends at 5 min', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 100].map((failures) => backoffDelay(failures, 0))).toEqual([
      5_000, 10_000, 20_000, 40_000, 80_000, 150_000, 150_000, 150_000,
    ]);
    expect([1, 2, 6, 100].map((failures) => backoffDelay(failures, nearlyOne))).toEqual([
      10_000, 20_000, 300_000, 300_000,
    ]);
  });

  it('never leaves its bounds, however often a node fails', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e9 }),
        fc.double({ min: 0, max: nearlyOne, noNaN: true }),
        (failures, random) => {
          const delay = backoffDelay(failures, random);
          expect(delay).toBeGreaterThanOrEqual(5_000);
          expect(delay).toBeLessThanOrEqual(300_000);
        },
      ),
    );
  });

  it('keeps to other bounds when given some', () => {
    const bounds = { shortest: 10, longest: 10 };
    expect([backoffDelay(1, 0.5, bounds), backoffDelay(9, 0.5, bounds)]).toEqual([10, 10]);
  });
});
