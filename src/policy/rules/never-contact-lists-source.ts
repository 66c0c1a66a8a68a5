import { sameReference } from '../../mirrors/naming.js';
import { formatReference } from '../../mirrors/reference.js';
import { hasRealMirror } from '../../mirrors/registry-view.js';
import { createAndUpdate, type Rule } from '../rule.js';

export const neverContactListsSource: Rule = {
  id: 'never-contact-lists-source',
  summary: 'NeverContactSource with the source among its own mirrors',
  why: 'The Machine Config Operator then stops rendering registries.conf for every Linux node, with only a log line.',
  remedy: 'Remove the source from the mirrors, or use AllowContactingSource.',
  scope: 'any',
  about: 'state',
  objectOnly: true,
  operations: createAndUpdate,
  actions: { audit: 'warn', baseline: 'deny', restricted: 'deny' },
  *find({ entries }) {
    for (const entry of entries) {
      if (entry.policy !== 'NeverContactSource' || !hasRealMirror(entry)) continue;
      const own = entry.mirrors.find(({ reference }) => sameReference(reference, entry.source));
      if (own === undefined) continue;
      const source = formatReference(entry.source);
      yield {
        path: own.path,
        message: `${source} is its own mirror although it must never be contacted: Linux nodes get no registries.conf updates any more`,
        fix: 'remove this mirror, or use AllowContactingSource',
        key: source,
      };
    }
  },
};
