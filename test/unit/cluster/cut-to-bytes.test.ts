import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutToBytes } from '../../../src/cluster/cut-to-bytes.js';

describe('cutToBytes', () => {
  it('leaves a text that fits as it is', () => {
    expect(cutToBytes('añb', 4)).toBe('añb');
  });

  it('cuts between two characters and says so', () => {
    expect(cutToBytes('abcdef', 5)).toBe('ab…');
    expect(cutToBytes('ññññ', 7)).toBe('ññ…');
    expect(cutToBytes('ññññ', 6)).toBe('ñ…');
    expect(cutToBytes('a😀😀', 8)).toBe('a😀…');
    expect(cutToBytes('a😀😀', 7)).toBe('a…');
  });

  it('never gives more bytes than the limit, nor half a character', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 40 }),
        fc.integer({ min: 3, max: 60 }),
        (text, limit) => {
          const cut = cutToBytes(text, limit);
          expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(limit);
          expect(cut).not.toContain('\uFFFD');
          expect(cut === text || text.startsWith(cut.slice(0, -1))).toBe(true);
        },
      ),
    );
  });
});
