/** Asks the policy about one mirror set, with everything that a test does not name left at its usual value. */
import { parseInsecureRegistries } from '../../../src/mirrors/insecure-registries.js';
import { indexMirrorSets } from '../../../src/mirrors/mirror-set-index.js';
import type { MirrorSet } from '../../../src/mirrors/mirror-set.js';
import { evaluate, type Judgement } from '../../../src/policy/evaluate.js';
import type { Requester } from '../../../src/policy/exemption.js';
import type { Finding } from '../../../src/policy/finding.js';
import { defaultPolicy, type MirrorPolicy } from '../../../src/policy/policy.js';
import type { Operation } from '../../../src/policy/rule.js';

export interface Circumstances {
  /** CREATE where there is no `old`, UPDATE where there is one. */
  readonly operation?: Operation;
  readonly old?: MirrorSet;
  /** The other mirror sets of the cluster; `unknown` as before the informers have synced. */
  readonly others?: readonly MirrorSet[] | 'unknown';
  readonly policy?: Partial<MirrorPolicy>;
  readonly insecureRegistries?: readonly string[];
  readonly requester?: Requester;
  readonly now?: Date;
}

export const usualNow = new Date('2027-01-15T12:00:00Z');

/** The judgement on a set; the profile is `baseline` unless a policy says otherwise. */
export function judge(set: MirrorSet, circumstances: Circumstances = {}): Judgement {
  const { old, others = [], policy, insecureRegistries = [], requester, now = usualNow } = circumstances;
  const { operation = old === undefined ? 'CREATE' : 'UPDATE' } = circumstances;
  const present = operation === 'DELETE' ? set : old;
  return evaluate(
    { operation, set, old, requester },
    {
      policy: { ...defaultPolicy(policy?.profile), ...policy },
      // As in a cluster: the object that is there before the change is in the index too.
      index:
        others === 'unknown'
          ? undefined
          : indexMirrorSets(present === undefined ? others : [...others, present]),
      insecure: parseInsecureRegistries(insecureRegistries).registries,
      now,
    },
  );
}

export type Said = Pick<Finding, 'path' | 'message' | 'fix' | 'suggestion'>;

/** What one rule says about a set, whatever action the policy gives to it. */
export function whatRuleSays(rule: string, set: MirrorSet, circumstances: Circumstances = {}): Said[] {
  return findingsOf(rule, set, circumstances).map(({ path, message, fix, suggestion }) => ({
    path,
    message,
    fix,
    ...(suggestion !== undefined && { suggestion }),
  }));
}

/** The findings of one rule. */
export function findingsOf(rule: string, set: MirrorSet, circumstances: Circumstances = {}): Finding[] {
  return judge(set, circumstances).findings.filter((finding) => finding.rule === rule);
}
