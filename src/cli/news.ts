import type { Verdict } from '../controller/admit.js';
import type { Finding } from '../policy/finding.js';

/** Tells what is new: true the first time a subject is in a state, and whenever it is in another than the last time. */
export function newsTeller(): (subject: string, state: unknown) => boolean {
  const told = new Map<string, string>();
  return (subject, state) => {
    const text = JSON.stringify(state);
    if (told.get(subject) === text) return false;
    told.set(subject, text);
    return true;
  };
}

/** What of a verdict has not been told before: all of it, or findings that came up although the set is the same. */
export type VerdictNews =
  | { readonly type: 'verdict' }
  | { readonly type: 'findings'; readonly findings: readonly Finding[] }
  | { readonly type: 'nothing' };

/** Verdicts are given anew at every run; this tells those that say something new. */
export function verdictNewsTeller(): (verdict: Verdict) => VerdictNews {
  const isNews = newsTeller();
  const toldFindings = new Map<string, Set<string>>();
  return ({ review: { set }, outcome, judgement }) => {
    const subject = `${set.kind}/${set.name}`;
    const told = isNews(subject, [outcome, set]) ? undefined : toldFindings.get(subject);
    // The action counts: a finding that was recorded, and now warns, is news.
    const identity = ({ rule, action, path, message }: Finding) => [rule, action, path, message].join(' ');
    toldFindings.set(subject, new Set([...(told ?? []), ...judgement.findings.map(identity)]));
    if (told === undefined) return { type: 'verdict' };
    const findings = judgement.findings.filter((finding) => !told.has(identity(finding)));
    return findings.length === 0 ? { type: 'nothing' } : { type: 'findings', findings };
  };
}
