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
  before: Pick<MirrorSet, 'kind' | 'name'> | undefined,
  after: MirrorSet | undefined,
): MirrorSetIndex {
  const nothingChanges =
    after !== undefined && index.holds(after) && (before === undefined || keyOf(before) === keyOf(after));
  // The same index and not its like: what has been worked out for it is then worked out no second time.
  if (nothingChanges) return index;

  const replaced = [before, after].filter((set) => set !== undefined);
  return overlay(index, new Set(replaced.map(keyOf)), after === undefined ? [] : [after]);
}

/** The index with sets put in: in place of those of their kind and name, and beside all others. */
export function joinIndex(index: MirrorSetIndex, sets: readonly MirrorSet[]): MirrorSetIndex {
  return overlay(index, new Set(sets.map(keyOf)), sets);
}

function overlay(
  index: MirrorSetIndex,
  removed: ReadonlySet<string>,
  added: readonly MirrorSet[],
): MirrorSetIndex {
  const own = indexMirrorSets(added);
  const merged = new Map<string, readonly ValidEntry[]>();
  const merge = (registry: string): readonly ValidEntry[] => {
    const kept = index.entriesOf(registry).filter((entry) => !removed.has(keyOf(entry.set)));
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
    holds: (set) => own.holds(set) || (index.holds(set) && !removed.has(keyOf(set))),
  };
}
