import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeOrders } from '../../../src/mirrors/merge-order.js';

function merge(...lists: string[]): string {
  return mergeOrders(lists.map((list) => Array.from(list))).order.join('');
}

function conflictsOf(...lists: string[]): string[] {
  return mergeOrders(lists.map((list) => Array.from(list)))
    .conflicts.map((group) => group.join(''))
    .sort();
}

const lists = fc.array(fc.array(fc.constantFrom(...Array.from('abcdefg')), { maxLength: 4 }), {
  maxLength: 5,
});

/** Items in order of first appearance, and for each the items that some list puts before it. */
function predecessorsOf(given: readonly (readonly string[])[]): Map<string, Set<string>> {
  const before = new Map(given.flat().map((item) => [item, new Set<string>()]));
  for (const list of given) {
    const distinct = [...new Set(list)];
    for (const [at, item] of distinct.entries()) {
      for (const earlier of distinct.slice(0, at)) before.get(item)!.add(earlier);
    }
  }
  return before;
}

/** The plainest stable merge: again and again the first item whose predecessors are all placed; nothing when there is none. */
function plainMerge(given: readonly (readonly string[])[]): string[] | undefined {
  const before = predecessorsOf(given);
  const placed: string[] = [];
  while (placed.length < before.size) {
    const next = [...before.keys()].find(
      (item) => !placed.includes(item) && [...before.get(item)!].every((earlier) => placed.includes(earlier)),
    );
    if (next === undefined) return undefined;
    placed.push(next);
  }
  return placed;
}

/** Items that come before themselves by way of each other, by plain reachability. */
function plainCircles(given: readonly (readonly string[])[]): string[] {
  const before = predecessorsOf(given);
  const items = [...before.keys()];
  const reach = new Map(items.map((item) => [item, new Set(before.get(item))]));
  for (const via of items) {
    for (const from of items) {
      if (reach.get(from)!.has(via)) for (const to of reach.get(via)!) reach.get(from)!.add(to);
    }
  }
  const groups = items.map((item) =>
    items
      .filter((other) => item === other || (reach.get(item)!.has(other) && reach.get(other)!.has(item)))
      .join(''),
  );
  return [...new Set(groups.filter((group) => group.length > 1))].sort();
}

describe('mergeOrders', () => {
  it.each([
    [['abc', 'cde'], 'abcde'],
    [['cde', 'abc'], 'abcde'],
    [['ac', 'bc'], 'abc'],
    [['ab', 'xb', 'xa'], 'xab'],
    [['b', 'a'], 'ba'],
    [['az', 'by'], 'azby'],
    [['aab', 'b'], 'ab'],
    [[''], ''],
    [[], ''],
  ])('of %j is %s', (given, expected) => {
    expect(merge(...given)).toBe(expected);
    expect(conflictsOf(...given)).toEqual([]);
  });

  it('keeps items that no list orders in order of first appearance', () => {
    expect(merge('q', 'd', 'z', 'a')).toBe('qdza');
  });

  it('puts an item no later than it must be', () => {
    // b waits for x; c and d need not.
    expect(merge('b', 'c', 'd', 'xb')).toBe('cdxb');
  });

  it.each([
    [['ab', 'ba'], 'ab', ['ab']],
    [['ab', 'bc', 'ca'], 'abc', ['abc']],
    [['xab', 'bay'], 'xaby', ['ab']],
    [['ab', 'ba', 'cd', 'dc'], 'abcd', ['ab', 'cd']],
    [['ab', 'ba', 'zb'], 'zab', ['ab']],
  ])('of %j, which conflict, is %s', (given, expected, conflicts) => {
    expect(merge(...given)).toBe(expected);
    expect(conflictsOf(...given)).toEqual(conflicts);
  });

  it('keeps the relative order of every list whenever that is possible, as the plainest merge does', () => {
    fc.assert(
      fc.property(lists, (given) => {
        const expected = plainMerge(given);
        const { order, conflicts } = mergeOrders(given);
        expect(conflicts.length === 0).toBe(expected !== undefined);
        if (expected === undefined) return;
        expect(order).toEqual(expected);
        for (const list of given) {
          const distinct = [...new Set(list)];
          expect(order.filter((item) => distinct.includes(item))).toEqual(distinct);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('names every group that is ordered in circles, and keeps all other orders', () => {
    fc.assert(
      fc.property(lists, (given) => {
        const { order, conflicts } = mergeOrders(given);
        expect([...order].sort()).toEqual([...new Set(given.flat())].sort());

        const appearance = [...predecessorsOf(given).keys()];
        for (const group of conflicts)
          expect(group).toEqual(appearance.filter((item) => group.includes(item)));
        expect(conflicts.map((group) => group.join('')).sort()).toEqual(plainCircles(given));

        for (const [item, earlierOnes] of predecessorsOf(given)) {
          for (const earlier of earlierOnes) {
            if (conflicts.some((group) => group.includes(item) && group.includes(earlier))) continue;
            expect(order.indexOf(earlier)).toBeLessThan(order.indexOf(item));
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  const many = Array.from({ length: 10_000 }, (_, at) => `m${at}`);

  it('finishes for a list of 10,000, and for as many lists', () => {
    expect(mergeOrders([many]).order).toEqual(many);
    expect(mergeOrders(many.map((item) => [item])).order).toEqual(many);
    expect(mergeOrders(many.map((item) => [item, 'last'])).order).toEqual([...many, 'last']);
  });

  it('finishes for one circle of 10,000', () => {
    const merged = mergeOrders([many, [many.at(-1)!, many[0]!]]);
    expect(merged.order).toEqual(many);
    expect(merged.conflicts).toEqual([many]);
  });
});
