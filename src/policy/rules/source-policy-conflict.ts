import { entriesBySource } from '../../mirrors/entries-by-source.js';
import { groupBy } from '../../mirrors/group-by.js';
import { keyOf, policyOf, type MirrorSourcePolicy, type ValidEntry } from '../../mirrors/mirror-set.js';
import { registryOf } from '../../mirrors/reference.js';
import { remember } from '../../mirrors/remember.js';
import { entryPlace } from '../entry-place.js';
import { comparePaths } from '../finding.js';
import { createAndUpdate, type Rule } from '../rule.js';

export const sourcePolicyConflict: Rule = {
  id: 'source-policy-conflict',
  summary:
    'one source with both policies, in one object or across objects (none counts as AllowContactingSource)',
  why: 'The Machine Config Operator then stops rendering registries.conf for every Linux node, with only a log line.',
  remedy: 'Give every entry of that source, in every IDMS and ITMS, the same mirrorSourcePolicy.',
  scope: 'any',
  about: 'state',
  objectOnly: true,
  operations: createAndUpdate,
  actions: { audit: 'warn', baseline: 'deny', restricted: 'deny' },
  *find({ set, entries, after }) {
    const own = keyOf(set);
    for (const [source, mine] of entriesBySource(entries)) {
      const [{ source: reference }] = mine as [ValidEntry];
      const all = entriesBySource(after.entriesOf(registryOf(reference))).get(source) ?? [];
      const others = examplesOf(all);
      const ours = examplesOf(mine);

      for (const entry of mine) {
        const opposite = opposites[policyOf(entry)];
        const [here] = ours.get(opposite) ?? [];
        const elsewhere = others.get(opposite)?.find((other) => keyOf(other.set) !== own);
        // Of two entries of one set, the later one carries the finding.
        const rival = here !== undefined && comparePaths(here.path, entry.path) < 0 ? here : elsewhere;
        if (rival === undefined) continue;
        const written = entry.policy !== undefined;
        yield {
          path: written ? `${entry.path}.mirrorSourcePolicy` : entry.path,
          message: `${source} is ${policyOf(entry)}${written ? '' : ' (the default)'} here and ${opposite} in ${entryPlace(rival, set)}: Linux nodes get no registries.conf updates any more`,
          fix: `give every entry of ${source} the same mirrorSourcePolicy`,
          ...(written && { suggestion: opposite }),
          key: `${source} ${policyOf(entry)}`,
        };
      }
    }
  },
};

const opposites: Record<MirrorSourcePolicy, MirrorSourcePolicy> = {
  AllowContactingSource: 'NeverContactSource',
  NeverContactSource: 'AllowContactingSource',
};

/** Of each policy, the first entry and the first of another set: one of them is not of any given set. */
const examplesOf = remember((entries: readonly ValidEntry[]) => {
  const examples = new Map<MirrorSourcePolicy, readonly ValidEntry[]>();
  for (const [policy, same] of groupBy(entries, policyOf)) {
    const [first] = same;
    const second = same.find((other) => first !== undefined && keyOf(other.set) !== keyOf(first.set));
    examples.set(
      policy,
      [first, second].filter((entry) => entry !== undefined),
    );
  }
  return examples;
});
