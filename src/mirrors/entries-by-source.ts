import { groupBy } from './group-by.js';
import type { ValidEntry } from './mirror-set.js';
import { formatReference } from './reference.js';
import { hasRealMirror } from './registry-view.js';
import { remember } from './remember.js';

/** The entries that have an effect (those with a mirror other than their source), by the canonical text of their source. */
export const entriesBySource: (entries: readonly ValidEntry[]) => ReadonlyMap<string, readonly ValidEntry[]> =
  remember((entries: readonly ValidEntry[]) =>
    groupBy(entries.filter(hasRealMirror), ({ source }) => formatReference(source)),
  );
