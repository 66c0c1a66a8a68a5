import type { Judgement } from '../policy/evaluate.js';
import type { Exemption } from '../policy/exemption.js';
import type { Action } from '../policy/finding.js';
import type { Profile } from '../policy/profile.js';
import { printable, shorten } from './printable.js';

const longestReason = 256;

/**
 * What the API server records in its audit log, each key after the webhook's name: the profile, the ids of the rules
 * that denied, warned or were only recorded, and every exemption that was used. A key without a value is left out.
 */
export function auditAnnotations(
  { findings, exempted }: Pick<Judgement, 'findings' | 'exempted'>,
  profile: Profile,
): Readonly<Record<string, string>> {
  const rules = (action: Action) =>
    [...new Set(findings.filter((finding) => finding.action === action).map(({ rule }) => rule))].join(',');
  return Object.fromEntries(
    Object.entries({
      profile,
      'denied-rules': rules('deny'),
      'warned-rules': rules('warn'),
      'audited-rules': rules('audit'),
      exemptions: formatExemptions(exempted),
    }).filter(([, value]) => value !== ''),
  );
}

/** `<reason> (until <moment>): <rule> x<findings>, …`, exemptions separated by `; `. */
function formatExemptions(exempted: Judgement['exempted']): string {
  const counts = new Map<Exemption, Map<string, number>>();
  for (const { finding, exemption } of exempted) {
    const rules = counts.get(exemption) ?? new Map<string, number>();
    counts.set(exemption, rules.set(finding.rule, (rules.get(finding.rule) ?? 0) + 1));
  }
  return [...counts]
    .map(([{ reason, expires }, rules]) => {
      const used = [...rules].map(([rule, times]) => `${rule} x${times}`).join(', ');
      return `${shorten(printable(reason), longestReason)} (until ${expires.toISOString()}): ${used}`;
    })
    .join('; ');
}
