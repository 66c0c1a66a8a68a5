import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable, shorten } from '../../../src/admission/printable.js';

const units = ['a', ' ', '\n', '\u001b', '\u0000', '\u009b', '\u2028', '\ud83d', '\ude80', 'é', '…'];

describe('printable', () => {
  it('puts a text on one line, without escape sequences', () => {
    expect(printable('one\r\ntwo\u001b[31m\u2028three\u0085')).toBe('one two [31m three');
  });

  it('replaces half a surrogate pair and keeps whole ones', () => {
    expect(printable('a\ud83d b \ud83d\ude80')).toBe('a\ufffd b \ud83d\ude80');
  });

  it('leaves nothing that a header cannot carry', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...units)), (parts) => {
        const text = parts.join('');
        const result = printable(text);
        expect(result).not.toMatch(/[\p{Cc}\p{Cs}\u2028\u2029]/u);
        expect(printable(result)).toBe(result);
      }),
    );
  });
});

describe('shorten', () => {
  it('keeps what fits and marks what was cut', () => {
    expect(shorten('abc', 3)).toBe('abc');
    expect(shorten('abcd', 3)).toBe('ab…');
  });

  it('never cuts a character in two', () => {
    expect(shorten('a\ud83d\ude80bcd', 3)).toBe('a…');
  });
});
