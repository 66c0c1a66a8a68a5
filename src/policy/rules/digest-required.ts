import { formatReference } from '../../mirrors/reference.js';
import { mirrorsPauseImage } from '../pause-image.js';
import { createAndUpdate, type Rule } from '../rule.js';

export const digestRequired: Rule = {
  id: 'digest-required',
  summary: 'any ITMS: digest-based IDMS is the rule',
  why: 'A tag can be moved to other content at the mirror; a digest cannot.',
  remedy:
    'Name images by digest and mirror them with an ImageDigestMirrorSet. The pause image alone may be mirrored by tag.',
  scope: 'any',
  about: 'state',
  objectOnly: true,
  operations: createAndUpdate,
  actions: { audit: 'audit', baseline: 'audit', restricted: 'deny' },
  *find({ set, entries, settings }) {
    if (set.kind !== 'ImageTagMirrorSet') return;
    for (const entry of entries) {
      if (mirrorsPauseImage(entry, settings)) continue;
      const text = formatReference(entry.source);
      yield {
        path: entry.path,
        message: `mirrors "${text}" by tag, and a tag can be moved to other content`,
        fix: 'use an ImageDigestMirrorSet and name its images by digest',
        key: text,
      };
    }
  },
};
