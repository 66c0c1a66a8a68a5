import { keyOf, policyOf, type ValidEntry } from '../../mirrors/mirror-set.js';
import { sameReference } from '../../mirrors/naming.js';
import { formatReference, registryOf } from '../../mirrors/reference.js';
import { hasRealMirror } from '../../mirrors/registry-view.js';
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
    for (const entry of entries) {
      if (!hasRealMirror(entry)) continue;
      const rival = after
        .entriesOf(registryOf(entry.source))
        .find((other) => conflicts(entry, other) && !isReportedThere(entry, other));
      if (rival === undefined) continue;
      const where = keyOf(rival.set) === keyOf(set) ? rival.path : `${rival.set.kind} "${rival.set.name}"`;
      const source = formatReference(entry.source);
      yield {
        path: entry.policy === undefined ? entry.path : `${entry.path}.mirrorSourcePolicy`,
        message: `${source} is ${policyOf(entry)} here and ${policyOf(rival)} in ${where}: Linux nodes get no registries.conf updates any more`,
        fix: `give every entry of ${source} the same mirrorSourcePolicy`,
        suggestion: policyOf(rival),
        key: `${source} ${policyOf(entry)}`,
      };
    }
  },
};

function conflicts(entry: ValidEntry, other: ValidEntry): boolean {
  return (
    sameReference(other.source, entry.source) && hasRealMirror(other) && policyOf(other) !== policyOf(entry)
  );
}

/** Of two entries of one set, the later one carries the finding. */
function isReportedThere(entry: ValidEntry, other: ValidEntry): boolean {
  return keyOf(entry.set) === keyOf(other.set) && comparePaths(entry.path, other.path) < 0;
}
