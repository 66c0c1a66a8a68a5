import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { revisionOf } from '../../../src/hosts/revision.js';

describe('revisionOf', () => {
  const files = new Map([
    ['a.io', 'one\n'],
    ['b.io', 'two\n'],
  ]);

  it('is a SHA-256 in hex over sorted directories and contents', () => {
    const expected = createHash('sha256').update('[["a.io","one\\n"],["b.io","two\\n"]]').digest('hex');
    expect(revisionOf(files)).toBe(expected);
  });

  it('does not depend on the order of the map', () => {
    expect(revisionOf(new Map([...files].reverse()))).toBe(revisionOf(files));
  });

  it.each<[string, [string, string][]]>([
    [
      'a content',
      [
        ['a.io', 'one\n'],
        ['b.io', 'two'],
      ],
    ],
    [
      'a directory',
      [
        ['a.io', 'one\n'],
        ['c.io', 'two\n'],
      ],
    ],
    [
      'contents that change places',
      [
        ['a.io', 'two\n'],
        ['b.io', 'one\n'],
      ],
    ],
    [
      'a boundary that moves',
      [
        ['a.ioo', 'ne\n'],
        ['b.io', 'two\n'],
      ],
    ],
    ['a file that swallows the next', [['a.io', 'one\n","b.io","two\n']]],
    ['a file less', [['a.io', 'one\n']]],
    ['no files', []],
  ])('differs for %s', (_, other) => {
    expect(revisionOf(new Map(other))).not.toBe(revisionOf(files));
  });
});
