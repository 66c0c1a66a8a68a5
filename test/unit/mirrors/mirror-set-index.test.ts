import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  emptyIndex,
  indexMirrorSets,
  joinIndex,
  replaceInIndex,
  type MirrorSetIndex,
} from '../../../src/mirrors/mirror-set-index.js';
import { keyOf, type MirrorSet } from '../../../src/mirrors/mirror-set.js';
import { clusters, mirrorSets } from '../arbitraries.js';
import { idms, itms } from '../mirror-sets.js';

/** All that an index can be asked, with the registries that have no entries left aside. */
function contentOf(index: MirrorSetIndex): Record<string, string[]> {
  return Object.fromEntries(
    [...index.registries()]
      .sort()
      .map((registry) => [registry, index.entriesOf(registry).map((entry) => JSON.stringify(entry))] as const)
      .filter(([, entries]) => entries.length > 0),
  );
}

function namesOf(index: MirrorSetIndex, registry: string): string[] {
  return index.entriesOf(registry).map(({ set, path }) => `${keyOf(set)} ${path}`);
}

describe('indexMirrorSets', () => {
  it('finds entries by the registry of their source, sets by kind and name, entries in their own order', () => {
    const index = indexMirrorSets([
      itms('a', [['q.io', ['m.io']]]),
      idms('b', [
        ['q.io/x', ['m.io']],
        ['r.io', ['m.io']],
        ['Q.io/a', ['m.io']],
      ]),
      idms('B', [['q.io', ['m.io']]]),
    ]);
    expect(namesOf(index, 'q.io')).toEqual([
      'ImageDigestMirrorSet/B spec.imageDigestMirrors[0]',
      'ImageDigestMirrorSet/b spec.imageDigestMirrors[0]',
      'ImageDigestMirrorSet/b spec.imageDigestMirrors[2]',
      'ImageTagMirrorSet/a spec.imageTagMirrors[0]',
    ]);
    expect([...index.registries()].sort()).toEqual(['q.io', 'r.io']);
  });

  it('tells ports and wildcards apart, and leaves out sources that are no references', () => {
    const index = indexMirrorSets([
      idms('a', [
        ['q.io:443', ['m.io']],
        ['*.q.io', ['m.io']],
        ['https://q.io', ['m.io']],
      ]),
    ]);
    expect([...index.registries()].sort()).toEqual(['*.q.io', 'q.io:443']);
    expect(index.entriesOf('q.io')).toEqual([]);
  });
});

describe('replaceInIndex', () => {
  it('equals indexing anew, whatever set comes, goes or changes', () => {
    fc.assert(
      fc.property(clusters, fc.option(mirrorSets), fc.nat(), fc.boolean(), (sets, fresh, pick, remove) => {
        const index = indexMirrorSets(sets);
        const old: MirrorSet | undefined = sets[pick % Math.max(sets.length, 1)];
        const cases: [MirrorSet | undefined, MirrorSet | undefined][] = [
          [remove ? old : undefined, fresh ?? undefined],
          [old, undefined],
          [undefined, old],
          [undefined, undefined],
          // The same name with the content of another.
          [old, old && fresh ? { ...fresh, kind: old.kind, name: old.name } : undefined],
        ];
        for (const [before, after] of cases) {
          const removed = [before, after].filter((set) => set !== undefined).map(keyOf);
          const anew = [...sets.filter((set) => !removed.includes(keyOf(set))), ...(after ? [after] : [])];
          expect(contentOf(replaceInIndex(index, before, after))).toEqual(contentOf(indexMirrorSets(anew)));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('leaves the index it starts from as it was', () => {
    const index = indexMirrorSets([idms('a', [['q.io', ['m.io']]])]);
    const before = contentOf(index);
    contentOf(
      replaceInIndex(index, { kind: 'ImageDigestMirrorSet', name: 'a' }, itms('b', [['q.io', ['n.io']]])),
    );
    expect(contentOf(index)).toEqual(before);
  });

  it('can start from nothing', () => {
    const set = idms('a', [['q.io', ['m.io']]]);
    expect(contentOf(replaceInIndex(emptyIndex, undefined, set))).toEqual(contentOf(indexMirrorSets([set])));
  });
});

describe('joinIndex', () => {
  it('equals indexing anew with the sets in place of those of their kind and name', () => {
    fc.assert(
      fc.property(clusters, clusters, (live, given) => {
        const replaced = new Set(given.map(keyOf));
        const anew = indexMirrorSets([...live.filter((set) => !replaced.has(keyOf(set))), ...given]);
        expect(contentOf(joinIndex(indexMirrorSets(live), given))).toEqual(contentOf(anew));
      }),
    );
  });
});

describe('holds', () => {
  const a = idms('a', [['q.io', ['m.io']]]);
  const like = idms('a', [['q.io', ['m.io']]]);

  it('is true for the very object alone, and not where another has its kind and name', () => {
    expect(indexMirrorSets([a]).holds(a)).toBe(true);
    expect(indexMirrorSets([a]).holds(like)).toBe(false);
    expect(indexMirrorSets([a, like]).holds(a)).toBe(false);
  });

  it('follows what is put in and taken out', () => {
    const index = indexMirrorSets([a]);
    expect(replaceInIndex(index, a, undefined).holds(a)).toBe(false);
    expect(replaceInIndex(index, a, like).holds(like)).toBe(true);
    expect(replaceInIndex(index, a, like).holds(a)).toBe(false);
    expect(joinIndex(index, [itms('b', [])]).holds(a)).toBe(true);
  });

  it('spares the work where nothing changes: the same index comes back', () => {
    const index = indexMirrorSets([a]);
    expect(replaceInIndex(index, a, a)).toBe(index);
    expect(replaceInIndex(index, undefined, a)).toBe(index);
    expect(replaceInIndex(index, a, like)).not.toBe(index);
  });
});
