import { formatReference, registryOf } from '../../mirrors/reference.js';
import { windowsEntries } from '../../mirrors/registry-view.js';
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
  *find({ entries, after, settings }) {
    for (const entry of windowsEntries(entries, settings.view)) {
      for (const { path, reference: mirror } of entry.mirrors) {
        const registry = registryOf(mirror);
        // Another organisation on the source's own registry is no chain: that registry is asked anyway.
        if (registry === registryOf(entry.source)) continue;
        const [next] = windowsEntries(after.entriesOf(registry), settings.view);
        const target = next?.mirrors[0];
        if (next === undefined || target === undefined) continue;
        yield {
          path,
          message: `${registry} is itself mirrored (by ${next.set.name}), and containerd does not follow mirrors of mirrors: it contacts ${registry}`,
          fix: `list the final mirror here as well (${formatReference(target.reference)} in ${next.set.name})`,
          key: `${formatReference(entry.source)} ${formatReference(mirror)}`,
        };
      }
    }
  },
};
