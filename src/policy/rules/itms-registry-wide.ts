import { formatReference } from '../../mirrors/reference.js';
import { hasRealMirror } from '../../mirrors/registry-view.js';
import { createAndUpdate, type Rule } from '../rule.js';

export const itmsRegistryWide: Rule = {
  id: 'itms-registry-wide',
  summary: 'an ITMS whose source is a whole registry or domain: every tag there is redirected',
  why: 'Whoever can push to the mirror decides what any tag of the registry means, on every node.',
  remedy:
    'Name the repositories whose tags are mirrored, or mirror the registry by digest with an ImageDigestMirrorSet.',
  scope: 'any',
  about: 'state',
  objectOnly: true,
  operations: createAndUpdate,
  actions: { audit: 'audit', baseline: 'deny', restricted: 'deny' },
  *find({ set, entries }) {
    if (set.kind !== 'ImageTagMirrorSet') return;
    for (const entry of entries) {
      if (entry.source.path.length > 0 || !hasRealMirror(entry)) continue;
      const text = formatReference(entry.source);
      yield {
        path: `${entry.path}.source`,
        message: `"${text}" is a whole ${entry.source.wildcard ? 'domain' : 'registry'}: every tag there is redirected to the mirrors`,
        fix: 'name single repositories as sources, or use an ImageDigestMirrorSet',
        key: text,
      };
    }
  },
};
