import type { ValidEntry } from '../../mirrors/mirror-set.js';
import { formatReference, registryOf } from '../../mirrors/reference.js';
import { hasRealMirror, hostEntryLocation } from '../../mirrors/registry-view.js';
import { mirrorsPauseImage } from '../pause-image.js';
import { createAndUpdate, type Rule } from '../rule.js';

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
      if (entry.source.path.length === 0 || !hasRealMirror(entry)) continue;
      yield {
        path: entry.path,
        message: `on Windows every ${registryOf(entry.source)} tag tries ${tried(entry)} first`,
        fix: 'use an ImageDigestMirrorSet',
        key: formatReference(entry.source),
        // The pause image is a tag on every node: it is the one that has to be mirrored by tag.
        ...(mirrorsPauseImage(entry, settings) && { atMost: 'audit' as const }),
      };
    }
  },
};

function tried(entry: ValidEntry): string {
  const locations = new Set(
    entry.mirrors.map(({ reference }) =>
      formatReference(hostEntryLocation(entry.source, reference).location),
    ),
  );
  const [first = '', ...rest] = locations;
  return rest.length === 0 ? first : `${first} and ${rest.length} more`;
}
