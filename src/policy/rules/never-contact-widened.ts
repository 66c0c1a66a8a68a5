import { groupBy } from '../../mirrors/group-by.js';
import type { ValidEntry } from '../../mirrors/mirror-set.js';
import { formatReference, pathOf, registryOf } from '../../mirrors/reference.js';
import { windowsEntries } from '../../mirrors/registry-view.js';
import { remember } from '../../mirrors/remember.js';
import { entryPlace } from '../entry-place.js';
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
    const forbidding = windowsEntries(entries, settings.view).filter(
      ({ policy, source }) => policy === 'NeverContactSource' && source.path.length > 0,
    );
    for (const [registry, mine] of groupBy(forbidding, ({ source }) => registryOf(source))) {
      const expecting = expectingOf(windowsEntries(after.entriesOf(registry), settings.view));
      const [first] = expecting;
      const stranded =
        first === undefined
          ? ''
          : `; ${entryPlace(first, set)} expects ${formatReference(first.source)} from there` +
            (expecting.length > 1 ? `, and ${expecting.length - 1} more` : '');
      for (const { path, source } of mine) {
        yield {
          path: `${path}.mirrorSourcePolicy`,
          message: `on Windows this forbids all of ${registry}, not only ${pathOf(source)}${stranded}`,
          fix: `use AllowContactingSource, or make all of ${registry} the source`,
          suggestion: 'AllowContactingSource',
          key: formatReference(source),
        };
      }
    }
  },
};

/** The entries that count on their source. */
const expectingOf = remember((entries: readonly ValidEntry[]) =>
  entries.filter(({ policy }) => policy !== 'NeverContactSource'),
);
