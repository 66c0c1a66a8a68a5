import { keyOf } from '../../mirrors/mirror-set.js';
import { formatReference, pathOf, registryOf } from '../../mirrors/reference.js';
import { windowsEntries } from '../../mirrors/registry-view.js';
import { createAndUpdate, type Rule } from '../rule.js';

export const neverContactWidened: Rule = {
  id: 'never-contact-widened',
  summary: 'NeverContactSource on a repository, which on Windows forbids the source for the whole registry',
  why: 'Images of the registry that no mirror holds can no longer be pulled on Windows, although other entries expect them from the source.',
  remedy: 'Use AllowContactingSource, or mirror the whole registry before forbidding it.',
  scope: 'windows',
  about: 'state',
  objectOnly: true,
  operations: createAndUpdate,
  actions: { audit: 'audit', baseline: 'warn', restricted: 'deny' },
  *find({ set, entries, after, settings }) {
    for (const entry of windowsEntries(entries, settings.view)) {
      if (entry.policy !== 'NeverContactSource' || entry.source.path.length === 0) continue;
      const registry = registryOf(entry.source);
      const stranded = windowsEntries(after.entriesOf(registry), settings.view).filter(
        (other) =>
          other.policy !== 'NeverContactSource' &&
          !(keyOf(other.set) === keyOf(set) && other.path === entry.path),
      );
      const [first] = stranded;
      const expecting =
        first === undefined
          ? ''
          : `; ${first.set.name} expects ${formatReference(first.source)} from there` +
            (stranded.length > 1 ? `, and ${stranded.length - 1} more` : '');
      yield {
        path: `${entry.path}.mirrorSourcePolicy`,
        message: `on Windows no ${registry} image is pulled from its source any more, not only ${pathOf(entry.source)}${expecting}`,
        fix: `use AllowContactingSource, or mirror all of ${registry}`,
        suggestion: 'AllowContactingSource',
        key: formatReference(entry.source),
      };
    }
  },
};
