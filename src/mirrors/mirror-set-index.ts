import { groupBy } from './group-by.js';
import { compareMirrorSets, keyOf, validEntries, type MirrorSet, type ValidEntry } from './mirror-set.js';
import { registryOf } from './reference.js';

/**
 * The entries of many mirror sets, found by the registry of their source, so that judging one set costs the size of
 * the registries it names and not that of the whole cluster.
 */
export interface MirrorSetIndex {
  /**
   * Entries whose source belongs to a registry (`host[:port]`, or `*.domain` for wildcard sources), sets in order of
   * kind and name, entries in their own order.
   */
  entriesOf(registry: string): readonly ValidEntry[];
  /** Every registry that some entry has as its source. */
  registries(): Iterable<string>;
  /** True when this very object is in the index, and no other of its kind and name. */
  holds(set: MirrorSet): boolean;
}

type SetName = Pick<MirrorSet, 'kind' | 'name'>;

export const emptyIndex: MirrorSetIndex = indexMirrorSets([]);

/** Indexes mirror sets in any order. */
export function indexMirrorSets(sets: readonly MirrorSet[]): MirrorSetIndex {
  const entries = sets.toSorted(compareMirrorSets).flatMap(validEntries);
  const byRegistry = groupBy(entries, (entry) => registryOf(entry.source));
  const byKey = groupBy(sets, keyOf);
  const none: readonly ValidEntry[] = [];
  return {
    entriesOf: (registry) => byRegistry.get(registry) ?? none,
    registries: () => byRegistry.keys(),
    holds: (set) => {
      const same = byKey.get(keyOf(set));
      return same?.length === 1 && same[0] === set;
    },
  };
}

/**
 * The index as it would be with one set replaced: `before` is taken out (by kind and name) and `after` put in; either
 * may be absent. Costs nothing until a registry is looked up, and then once per registry.
 */
export function replaceInIndex(
  index: MirrorSetIndex,
  before: SetName | undefined,
  after: MirrorSet | undefined,
): MirrorSetIndex {
  const nothingChanges =
    after !== undefined && index.holds(after) && (before === undefined || keyOf(before) === keyOf(after));
  // The same index and not its like: what has been worked out for it is then worked out no second time.
  if (nothingChanges) return index;

  const replaced = [before, after].filter((set) => set !== undefined);
  return overlay(index, replaced, after === undefined ? [] : [after]);
}

/** The index with sets put in: in place of those of their kind and name, and beside all others. */
export function joinIndex(index: MirrorSetIndex, sets: readonly MirrorSet[]): MirrorSetIndex {
  return overlay(index, sets, sets);
}

function overlay(
  index: MirrorSetIndex,
  removed: readonly SetName[],
  added: readonly MirrorSet[],
): MirrorSetIndex {
  const own = indexMirrorSets(added);
  const removedKeys = new Set(removed.map(keyOf));
  const merged = new Map<string, readonly ValidEntry[]>();
  const merge = (registry: string): readonly ValidEntry[] => {
    const kept = without(index.entriesOf(registry), removed);
    const put = own.entriesOf(registry);
    // Both are in order, and the sort is stable.
    return put.length === 0
      ? kept
      : [...kept, ...put].sort((left, right) => compareMirrorSets(left.set, right.set));
  };
  return {
    entriesOf: (registry) => {
      const entries = merged.get(registry) ?? merge(registry);
      merged.set(registry, entries);
      return entries;
    },
    registries: () => new Set([...index.registries(), ...own.registries()]),
    holds: (set) => own.holds(set) || (index.holds(set) && !removedKeys.has(keyOf(set))),
  };
}

/**
 * The entries of all sets but some. They are in order, so that those of one set stand together and are found without
 * looking at each: a large registry is asked for without each of its sets in turn.
 */
function without(entries: readonly ValidEntry[], removed: readonly SetName[]): readonly ValidEntry[] {
  const cuts = removed
    .map((set) => ({
      start: countWhile(entries, (entry) => compareMirrorSets(entry.set, set) < 0),
      end: countWhile(entries, (entry) => compareMirrorSets(entry.set, set) <= 0),
    }))
    .filter(({ start, end }) => start < end)
    .sort((left, right) => left.start - right.start);
  if (cuts.length === 0) return entries;
  let at = 0;
  const kept = cuts.map(({ start, end }) => {
    const part = entries.slice(at, start);
    at = end;
    return part;
  });
  return [...kept, entries.slice(at)].flat();
}

/** How many items at the start a condition holds for, where it holds for none after the first that it fails for. */
function countWhile<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = items[middle];
    if (item !== undefined && holds(item)) low = middle + 1;
    else high = middle;
  }
  return low;
}
