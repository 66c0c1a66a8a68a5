import { groupBy } from './group-by.js';
import {
  compareMirrorSets,
  compareText,
  keyOf,
  validEntries,
  type MirrorSet,
  type ValidEntry,
} from './mirror-set.js';
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
}

export const emptyIndex: MirrorSetIndex = indexMirrorSets([]);

/** Indexes mirror sets in any order. */
export function indexMirrorSets(sets: readonly MirrorSet[]): MirrorSetIndex {
  const entries = sets.toSorted(compareMirrorSets).flatMap(validEntries);
  const byRegistry = groupBy(entries, (entry) => registryOf(entry.source));
  return {
    entriesOf: (registry) => byRegistry.get(registry) ?? [],
    registries: () => byRegistry.keys(),
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
  const removed = new Set([before, after].filter((set) => set !== undefined).map(keyOf));
  const added = indexOf(after);
  const replaced = new Map<string, readonly ValidEntry[]>();
  const replaceIn = (registry: string): readonly ValidEntry[] => {
    const kept = index.entriesOf(registry).filter((entry) => !removed.has(keyOf(entry.set)));
    const own = added.get(registry);
    if (own === undefined || after === undefined) return kept;
    const at = kept.findIndex((entry) => compareMirrorSets(entry.set, after) > 0);
    return at === -1 ? [...kept, ...own] : [...kept.slice(0, at), ...own, ...kept.slice(at)];
  };
  return {
    entriesOf: (registry) => {
      const entries = replaced.get(registry) ?? replaceIn(registry);
      replaced.set(registry, entries);
      return entries;
    },
    registries: () => new Set([...index.registries(), ...added.keys()]),
  };
}

/** The registries that a set's entries have as their source, sorted. */
export function registriesOf(set: MirrorSet): string[] {
  return [...indexOf(set).keys()].sort(compareText);
}

function indexOf(set: MirrorSet | undefined): ReadonlyMap<string, readonly ValidEntry[]> {
  return groupBy(set === undefined ? [] : validEntries(set), (entry) => registryOf(entry.source));
}
