import { describe, expect, it } from 'vitest';
import { startDeadline } from '../../../src/admission/deadline.js';

function remaining(query: Record<string, string>, otherwise?: number): number {
  const deadline = startDeadline({ query }, () => 1000, otherwise);
  if (!deadline.ok) throw new Error(deadline.refusal.message);
  return deadline.value.remaining();
}

describe('startDeadline', () => {
  it('keeps back a tenth, half a second at most, for the way of the answer', () => {
    expect(remaining({ timeout: '1s' })).toBe(900);
    expect(remaining({ timeout: '10s' })).toBe(9_500);
  });

  it('gives what the API server gives where nothing is stated, or what the route does', () => {
    expect(remaining({})).toBe(9_500);
    expect(remaining({}, 30_000)).toBe(29_500);
  });

  it('never gives more than the API server may', () => {
    expect(remaining({ timeout: '1h' })).toBe(29_500);
  });

  it('counts down with the clock, from when it was started', () => {
    let now = 5_000;
    const deadline = startDeadline({ query: { timeout: '1s' } }, () => now);
    now += 899;
    expect(deadline.ok && deadline.value.remaining()).toBe(1);
    now += 1;
    expect(deadline.ok && deadline.value.remaining()).toBe(0);
  });

  it('refuses what is no duration', () => {
    expect(startDeadline({ query: { timeout: '-1s' } }, () => 0)).toMatchObject({
      ok: false,
      refusal: { code: 'invalid-parameter' },
    });
  });
});
