import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseGoDuration } from '../../../src/admission/go-duration.js';

describe('parseGoDuration', () => {
  it.each([
    ['10s', 10_000],
    ['1m30s', 90_000],
    ['500ms', 500],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['2.s', 2_000],
    ['0', 0],
    ['0s', 0],
    ['1us', 0.001],
    ['1µs', 0.001],
    ['1000000ns', 1],
  ])('reads %s', (text, expected) => {
    expect(parseGoDuration(text)).toBeCloseTo(expected, 9);
  });

  it.each([
    '',
    '10',
    's',
    '-1s',
    '+1s',
    '10 s',
    '10s ',
    '1d',
    '.s',
    '1..5s',
    '1e3s',
    'NaNs',
    '9'.repeat(70) + 's',
  ])('does not take %j', (text) => {
    expect(parseGoDuration(text)).toBeUndefined();
  });

  it('reads what Go prints for whole seconds', () => {
    fc.assert(
      fc.property(fc.nat(9), fc.nat(59), fc.nat(59), (hours, minutes, seconds) => {
        const text = `${hours}h${minutes}m${seconds}s`;
        expect(parseGoDuration(text)).toBe(((hours * 60 + minutes) * 60 + seconds) * 1000);
      }),
    );
  });
});
