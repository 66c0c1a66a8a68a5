/** How a mirror set stands, line by line, as reports of the policy working group and of OpenReports have it. */
import type { ExistingVerdict } from '../controller/judge-existing.js';
import { catalogue } from '../policy/catalogue.js';
import { compareActions, describeFinding, type Action, type Finding } from '../policy/finding.js';
import type { MirrorPolicy } from '../policy/policy.js';

/** `policy.Result` of both kinds; `error` is never ours: a set that cannot be judged gets no verdict. */
export type ReportStatus = 'pass' | 'fail' | 'warn' | 'skip';

/** One line of a report, without the time at which it was first found. */
export interface ReportResult {
  readonly source: string;
  readonly policy: string;
  readonly rule?: string;
  readonly category: string;
  readonly severity?: 'high' | 'medium' | 'low';
  readonly result: ReportStatus;
  readonly scored: boolean;
  readonly message: string;
  readonly properties: Readonly<Record<string, string>>;
}

export type ReportSummary = Readonly<Record<ReportStatus | 'error', number>>;

/** What a report says about a mirror set, whatever its kind and whenever it is written. */
export interface ReportContent {
  /** Counts everything, also what is left out of `results`. */
  readonly summary: ReportSummary;
  /** The gravest first; at least one, at most 500. */
  readonly results: readonly ReportResult[];
}

export const reportSource = 'mirrorgate';
const mostResults = 500;
/** Of all results as JSON. etcd takes objects of 1.5 MiB, and so much that is left over is for the rest of the report. */
const mostBytes = 1_000_000;

/**
 * What becomes of an action. The two kinds define `pass` as "requirements are met" and `warn` as "not met, and not
 * scored": a finding that is only audited is the latter, and a report is where it is recorded. Its severity tells it from
 * a warning. The first CRDs know no other severities than these three.
 */
const statusOf = {
  deny: { result: 'fail', severity: 'high', scored: true },
  warn: { result: 'warn', severity: 'medium', scored: false },
  audit: { result: 'warn', severity: 'low', scored: false },
} as const satisfies Record<Action, Pick<ReportResult, 'result' | 'severity' | 'scored'>>;

const windowsRules = new Set(catalogue.filter(({ scope }) => scope === 'windows').map(({ id }) => id));

/** What there is to say about a set. The same verdict and policy give the same content. */
export function reportContent({ judgement }: ExistingVerdict, { profile }: MirrorPolicy): ReportContent {
  const found = judgement.findings
    .toSorted((left, right) => compareActions(left.action, right.action))
    .map((finding) => toResult(finding, profile));
  const exempted = judgement.exempted.map(({ finding, exemption }): ReportResult => {
    const { properties, ...result } = toResult(finding, profile);
    return {
      ...result,
      result: 'skip',
      scored: false,
      properties: {
        ...properties,
        exemption: exemption.reason,
        exemptionExpires: exemption.expires.toISOString(),
      },
    };
  });
  const all = [...found, ...exempted];
  if (all.length === 0) all.push(passed(profile));
  const summary = { pass: 0, fail: 0, warn: 0, error: 0, skip: 0 };
  for (const { result } of all) summary[result] += 1;
  return { summary, results: shortened(all, profile) };
}

function toResult(finding: Finding, profile: string): ReportResult {
  const { rule, action, path, suggestion } = finding;
  return {
    source: reportSource,
    policy: reportSource,
    rule,
    category: windowsRules.has(rule) ? 'Windows nodes' : 'Image mirrors',
    ...statusOf[action],
    // Readers tell results from each other by their message: the same rule may find the same in several fields.
    message: `${path}: ${describeFinding(finding)}`,
    properties: { profile, action, path, ...(suggestion !== undefined && { suggestion }) },
  };
}

/** One line for a set that breaks no rule: a report without results is not shown at all by some readers. */
function passed(profile: string): ReportResult {
  return {
    source: reportSource,
    policy: reportSource,
    category: 'Image mirrors',
    result: 'pass',
    scored: true,
    message: `breaks no rule of mirrorgate (profile ${profile})`,
    properties: { profile },
  };
}

/** As many as one object can hold, the last of which says how many more there are. */
function shortened(all: readonly ReportResult[], profile: string): readonly ReportResult[] {
  let bytes = 0;
  const tooLong = all.findIndex((result) => (bytes += Buffer.byteLength(JSON.stringify(result))) > mostBytes);
  if (all.length <= mostResults && tooLong === -1) return all;
  const kept = all.slice(0, Math.min(mostResults - 1, tooLong === -1 ? Infinity : tooLong));
  const first = all[kept.length];
  const count = all.length - kept.length;
  return [
    ...kept,
    {
      source: reportSource,
      policy: reportSource,
      category: 'Image mirrors',
      // The gravest of those that are left out.
      ...(first?.severity !== undefined && { severity: first.severity }),
      result: first?.result ?? 'warn',
      scored: false,
      message: `${count} more ${count === 1 ? 'result is' : 'results are'} left out here; "mirrorgate check" shows all`,
      properties: { profile, omitted: String(count) },
    },
  ];
}
