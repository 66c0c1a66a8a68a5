import { formatReference } from '../../mirrors/reference.js';
import { hasRealMirror } from '../../mirrors/registry-view.js';
import { createAndUpdate, type Rule } from '../rule.js';

export const policyWithoutMirrors: Rule = {
  id: 'policy-without-mirrors',
  summary: 'a mirrorSourcePolicy where no mirror other than the source is listed: it has no effect',
  why: 'The whole entry is ignored, its policy included: a source that was meant to be forbidden is still contacted.',
  remedy: 'Add a mirror. To block a registry altogether, use blockedRegistries of the cluster image config.',
  scope: 'any',
  about: 'state',
  objectOnly: true,
  operations: createAndUpdate,
  actions: { audit: 'audit', baseline: 'warn', restricted: 'warn' },
  *find({ set, entries }) {
    const raw = new Map(set.entries.map((entry) => [entry.path, entry]));
    for (const entry of entries) {
      if (entry.policy === undefined || hasRealMirror(entry)) continue;
      // A mirror that is no reference is a fault of its own; mended, the entry has one.
      if (raw.get(entry.path)?.mirrors.some(({ parsed }) => !parsed.ok) === true) continue;
      const source = formatReference(entry.source);
      yield {
        path: `${entry.path}.mirrorSourcePolicy`,
        message: `${entry.policy} has no effect: no mirror other than ${source} itself is listed`,
        fix: 'add a mirror, or remove the entry',
        key: source,
      };
    }
  },
};
