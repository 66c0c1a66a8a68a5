import type { ValidEntry } from '../../mirrors/mirror-set.js';
import { sameReference } from '../../mirrors/naming.js';
import { formatReference, registryOf } from '../../mirrors/reference.js';
import { windowsEntries } from '../../mirrors/registry-view.js';
import { entryPlace } from '../entry-place.js';
import { createAndUpdate, type Rule } from '../rule.js';

export const mirrorChain: Rule = {
  id: 'mirror-chain',
  summary: 'a mirror whose registry is itself a mirrored source',
  why: 'containerd does not follow mirrors of mirrors: it contacts that registry itself.',
  remedy: 'List the final mirrors in this entry too.',
  scope: 'windows',
  about: 'state',
  objectOnly: true,
  operations: createAndUpdate,
  actions: { audit: 'audit', baseline: 'warn', restricted: 'warn' },
  *find({ set, entries, after, settings }) {
    const firstEntries = new Map<string, ValidEntry | undefined>();
    const firstEntryOf = (registry: string): ValidEntry | undefined => {
      if (!firstEntries.has(registry))
        firstEntries.set(registry, windowsEntries(after.entriesOf(registry), settings.view)[0]);
      return firstEntries.get(registry);
    };
    for (const entry of windowsEntries(entries, settings.view)) {
      for (const { path, reference: mirror } of entry.mirrors) {
        const registry = registryOf(mirror);
        // Another organisation on the source's own registry is no chain: that registry is asked anyway.
        if (registry === registryOf(entry.source)) continue;
        const next = firstEntryOf(registry);
        const target = next?.mirrors.find(({ reference }) => !sameReference(reference, next.source));
        if (next === undefined || target === undefined) continue;
        yield {
          path,
          message: `${registry} is itself mirrored (in ${entryPlace(next, set)}), and Windows nodes do not follow mirrors of mirrors: they contact ${registry}`,
          fix: `list the final mirror here as well: ${entryPlace(next, set)} has ${formatReference(target.reference)}`,
          key: `${formatReference(entry.source)} ${formatReference(mirror)}`,
        };
      }
    }
  },
};
