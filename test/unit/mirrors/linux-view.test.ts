import { describe, expect, it } from 'vitest';
import { linuxSource, mostSpecificSource } from '../../../src/mirrors/linux-view.js';
import { indexMirrorSets } from '../../../src/mirrors/mirror-set-index.js';
import { validEntries, type MirrorSet } from '../../../src/mirrors/mirror-set.js';
import { formatReference } from '../../../src/mirrors/reference.js';
import { idms, itms, reference } from '../mirror-sets.js';

/** Source → its digest mirrors, its tag mirrors, and whether it is blocked; sources without a record are left out. */
function view(sets: readonly MirrorSet[]): Record<string, unknown> {
  const index = indexMirrorSets(sets);
  const sources = new Set(sets.flatMap(validEntries).map(({ source }) => formatReference(source)));
  return Object.fromEntries(
    [...sources].flatMap((source) => {
      const record = linuxSource(index, reference(source));
      if (record === undefined) return [];
      const [digests, tags] = [record.digestMirrors, record.tagMirrors].map((mirrors) =>
        mirrors.map(({ mirror }) => formatReference(mirror)),
      );
      return [[source, [digests, tags, record.blocked]]];
    }),
  );
}

describe('linuxSource', () => {
  it('keeps one record per source, digest mirrors from IDMS and tag mirrors from ITMS', () => {
    const sets = [
      idms('d', [
        ['q.io/a', ['m.io/a']],
        ['q.io/b', ['m.io/b']],
      ]),
      itms('t', [['Q.io/a', ['m.io/a', 'n.io/other']]]),
    ];
    expect(view(sets)).toEqual({
      'q.io/a': [['m.io/a'], ['m.io/a', 'n.io/other'], false],
      'q.io/b': [['m.io/b'], [], false],
    });
  });

  it('merges lists of one source in order, each kind by itself', () => {
    const sets = [
      idms('1', [['q.io', ['a.io', 'b.io', 'c.io']]]),
      idms('2', [['q.io', ['c.io', 'd.io']]]),
      itms('3', [['q.io', ['d.io', 'a.io']]]),
    ];
    expect(view(sets)).toEqual({
      'q.io': [['a.io', 'b.io', 'c.io', 'd.io'], ['d.io', 'a.io'], false],
    });
  });

  it('blocks a source when any entry with a mirror says so', () => {
    const sets = [
      idms('1', [['q.io/a', ['m.io/a']]]),
      itms('2', [
        ['q.io/a', ['m.io/a'], 'NeverContactSource'],
        ['q.io/b', ['q.io/b'], 'NeverContactSource'],
        ['q.io/c', [], 'NeverContactSource'],
      ]),
    ];
    expect(view(sets)).toEqual({ 'q.io/a': [['m.io/a'], ['m.io/a'], true] });
  });

  it('leaves the source out at the end of the list, and keeps it where it stands before a mirror', () => {
    expect(view([idms('1', [['q.io', ['a.io', 'q.io']]])])).toEqual({
      'q.io': [['a.io'], [], false],
    });
    expect(view([idms('1', [['q.io', ['q.io', 'a.io']]])])).toEqual({
      'q.io': [['q.io', 'a.io'], [], false],
    });
  });

  it('puts the source behind the mirrors of every list that does not place it', () => {
    const sets = [idms('1', [['q.io', ['q.io', 'a.io']]]), idms('2', [['q.io', ['b.io']]])];
    expect(view(sets)).toEqual({ 'q.io': [['b.io', 'q.io', 'a.io'], [], false] });
  });

  it('keeps sets for Linux alone, and says where each mirror came from', () => {
    const sets = [idms('linux', [['q.io/a', ['m.io/b']]], { 'mirrorgate.dev/os': 'linux' })];
    expect(linuxSource(indexMirrorSets(sets), reference('q.io/a'))!.digestMirrors).toEqual([
      {
        mirror: reference('m.io/b'),
        kind: 'ImageDigestMirrorSet',
        name: 'linux',
        path: 'spec.imageDigestMirrors[0].mirrors[0]',
      },
    ]);
  });
});

describe('mostSpecificSource', () => {
  const index = indexMirrorSets([
    idms('s', [
      ['q.io', ['m.io']],
      ['q.io/org', ['m.io/org']],
      ['q.io/org/image', ['m.io/image']],
      ['q.io/bare', undefined],
      ['*.w.io', ['m.io/w']],
      ['*.b.w.io', ['m.io/bw']],
      ['a.w.io', ['m.io/a']],
      ['p.w.io:5000/x', ['m.io/p']],
    ]),
  ]);

  it.each([
    ['q.io/org/image', 'q.io/org/image'],
    ['q.io/org/image/sub', 'q.io/org/image'],
    ['q.io/org/images', 'q.io/org'],
    ['q.io/organisation', 'q.io'],
    // An entry without mirrors is no source.
    ['q.io/bare', 'q.io'],
    ['q.io:443/org', undefined],
    ['other.io/org', undefined],
    ['a.w.io/x', 'a.w.io'],
    ['c.w.io/x', '*.w.io'],
    ['c.b.w.io/x', '*.b.w.io'],
    ['b.w.io/x', '*.w.io'],
    ['w.io/x', undefined],
    ['p.w.io:5000/x/y', 'p.w.io:5000/x'],
    ['p.w.io:5000/y', '*.w.io'],
  ])('of %s is %s', (image, source) => {
    const found = mostSpecificSource(index, reference(image));
    expect(found && formatReference(found.source)).toBe(source);
  });
});
