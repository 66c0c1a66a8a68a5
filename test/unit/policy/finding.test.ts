import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { actions, compareActions, comparePaths, describeFinding } from '../../../src/policy/finding.js';

const paths = fc
  .tuple(
    fc.constantFrom('spec.imageTagMirrors', 'spec.imageDigestMirrors'),
    fc.option(fc.nat(120), { nil: undefined }),
    fc.constantFrom('', '.source', '.mirrors', '.mirrorSourcePolicy', '.mirrors[3]', '.mirrors[20]'),
  )
  .map(([list, index, field]) => (index === undefined ? list : `${list}[${index}]${field}`));

describe('comparePaths', () => {
  it('orders by entry, then by mirror, counting and not spelling', () => {
    const ordered = [
      'spec.imageTagMirrors',
      'spec.imageTagMirrors[0]',
      'spec.imageTagMirrors[0].mirrorSourcePolicy',
      'spec.imageTagMirrors[0].mirrors',
      'spec.imageTagMirrors[0].mirrors[2]',
      'spec.imageTagMirrors[0].mirrors[10]',
      'spec.imageTagMirrors[0].source',
      'spec.imageTagMirrors[2]',
      'spec.imageTagMirrors[10].mirrors[0]',
    ];
    expect(ordered.toReversed().sort(comparePaths)).toStrictEqual(ordered);
  });

  it('is an order: the same both ways, and transitive', () => {
    fc.assert(
      fc.property(paths, paths, paths, (one, two, three) => {
        expect(Math.sign(comparePaths(one, two))).toBe(0 - Math.sign(comparePaths(two, one)));
        expect(comparePaths(one, two) === 0).toBe(one === two);
        if (comparePaths(one, two) <= 0 && comparePaths(two, three) <= 0)
          expect(comparePaths(one, three)).toBeLessThanOrEqual(0);
      }),
    );
  });

  it('puts what is around a field before it', () => {
    fc.assert(
      fc.property(paths, fc.constantFrom('.x', '[0]'), (path, more) => {
        expect(comparePaths(path, path + more)).toBeLessThan(0);
      }),
    );
  });
});

describe('compareActions', () => {
  it('puts the most severe first', () => {
    expect([...actions].reverse().sort(compareActions)).toStrictEqual(['deny', 'warn', 'audit']);
  });
});

describe('describeFinding', () => {
  it('joins problem and fix into one line', () => {
    expect(describeFinding({ message: 'it is broken', fix: 'mend it' })).toBe('it is broken; mend it');
  });
});
