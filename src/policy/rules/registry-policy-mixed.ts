import { groupBy } from '../../mirrors/group-by.js';
import { policyOf, type ValidEntry } from '../../mirrors/mirror-set.js';
import { sameReference } from '../../mirrors/naming.js';
import { formatReference, registryOf } from '../../mirrors/reference.js';
import { windowsEntries } from '../../mirrors/registry-view.js';
import { remember } from '../../mirrors/remember.js';
import { entryPlace } from '../entry-place.js';
import { createAndUpdate, type Rule } from '../rule.js';

export const registryPolicyMixed: Rule = {
  id: 'registry-policy-mixed',
  summary: 'repositories of one registry with different policies: on Windows NeverContactSource wins for all',
  why: 'A Windows node knows one fallback per registry, so that the source is forbidden even where an entry allows it.',
  remedy: 'Use one mirrorSourcePolicy for all sources of a registry.',
  scope: 'windows',
  about: 'state',
  objectOnly: true,
  operations: createAndUpdate,
  actions: { audit: 'audit', baseline: 'warn', restricted: 'warn' },
  *find({ set, entries, after, settings }) {
    const own = windowsEntries(entries, settings.view);
    for (const [registry, mine] of groupBy(own, (entry) => registryOf(entry.source))) {
      const { allowing, forbidding } = examplesOf(windowsEntries(after.entriesOf(registry), settings.view));
      for (const entry of mine) {
        // The same source with both policies is a matter of its own: source-policy-conflict.
        const others = policyOf(entry) === 'NeverContactSource' ? allowing : forbidding;
        const other = others.find(({ source }) => !sameReference(source, entry.source));
        if (other === undefined) continue;
        const forbidden = policyOf(entry) === 'NeverContactSource' ? entry : other;
        yield {
          path: entry.policy === undefined ? entry.path : `${entry.path}.mirrorSourcePolicy`,
          message: `${registry} has sources of both policies: ${formatReference(forbidden.source)} is NeverContactSource, and on Windows that holds for all of them`,
          fix: `use one mirrorSourcePolicy for all sources of ${registry} (another: ${formatReference(other.source)} in ${entryPlace(other, set)})`,
          key: registry,
        };
        break;
      }
    }
  },
};

/** Of each policy, entries enough to hold one against any other. */
const examplesOf = remember((entries: readonly ValidEntry[]) => {
  const byPolicy = groupBy(entries, policyOf);
  return {
    allowing: firstOfTwoSources(byPolicy.get('AllowContactingSource')),
    forbidding: firstOfTwoSources(byPolicy.get('NeverContactSource')),
  };
});

/** The first entry, and the first whose source is another: one of them differs from any given source. */
function firstOfTwoSources(entries: readonly ValidEntry[] = []): ValidEntry[] {
  const [first] = entries;
  if (first === undefined) return [];
  const second = entries.find(({ source }) => !sameReference(source, first.source));
  return second === undefined ? [first] : [first, second];
}
