import type { ValidEntry } from '../../mirrors/mirror-set.js';
import { formatReference, registryOf } from '../../mirrors/reference.js';
import type { ViewOptions } from '../../mirrors/registry-view.js';
import { mirrorsPauseImage } from '../pause-image.js';
import { createAndUpdate, type Rule } from '../rule.js';
import { windowsMirrors } from '../windows-mirrors.js';

export const itmsWidenedOnWindows: Rule = {
  id: 'itms-widened-on-windows',
  summary: 'an ITMS for one repository, which on Windows acts on every tag of its registry',
  why: 'A tag of an unrelated repository resolves at the mirror first and can silently mean other content there.',
  remedy: 'Mirror by digest with an ImageDigestMirrorSet: a digest can never yield the wrong image.',
  scope: 'windows',
  about: 'state',
  objectOnly: true,
  operations: createAndUpdate,
  actions: { audit: 'audit', baseline: 'warn', restricted: 'deny' },
  *find({ set, entries, settings }) {
    if (set.kind !== 'ImageTagMirrorSet') return;
    for (const entry of entries) {
      if (entry.source.path.length === 0) continue;
      const [first, ...more] = locationsTried(entry, settings.view);
      if (first === undefined) continue;
      yield {
        path: entry.path,
        message: `on Windows every ${registryOf(entry.source)} tag tries ${first}${more.length === 0 ? '' : ` and ${more.length} more`} first`,
        fix: 'use an ImageDigestMirrorSet',
        key: formatReference(entry.source),
        // The pause image is a tag on every node: it is the one that has to be mirrored by tag.
        ...(mirrorsPauseImage(entry, settings) && { atMost: 'audit' as const }),
      };
    }
  },
};

/** Registry and prefix of every host entry that the entry adds on Windows. */
function locationsTried(entry: ValidEntry, view: ViewOptions): Set<string> {
  const elsewhere = windowsMirrors(entry, view).filter(({ isSource }) => !isSource);
  return new Set(elsewhere.map(({ location }) => formatReference(location)));
}
