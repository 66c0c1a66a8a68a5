/** How a mirror set stands, in the form that policy dashboards read: reports of the policy working group and OpenReports. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { ExistingVerdict } from '../controller/judge-existing.js';
import type { MirrorSet, MirrorSetKind } from '../mirrors/mirror-set.js';
import { catalogue } from '../policy/catalogue.js';
import { compareActions, describeFinding, type Action, type Finding } from '../policy/finding.js';
import type { MirrorPolicy } from '../policy/policy.js';
import { resources, type KubeObject } from './kube-object.js';

/** The two kinds of report; what they hold is the same but for the source of the whole, which only OpenReports knows. */
export type ReportResource = typeof resources.openReports | typeof resources.policyReports;

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

/** The label that tells whose report it is; others are never touched. */
export const reportLabel = ['app.kubernetes.io/managed-by', 'mirrorgate'] as const;

const source = 'mirrorgate';
const mostResults = 500;
/** Of all results as JSON. etcd takes objects of 1.5 MiB, and so much that is left over is for the rest of the report. */
const mostBytes = 1_000_000;
/** Of a name in the API. */
const mostCharacters = 253;

const shortKinds = {
  ImageDigestMirrorSet: 'idms',
  ImageTagMirrorSet: 'itms',
} as const satisfies Record<MirrorSetKind, string>;

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

/** The name of a set's report: `idms-NAME` or `itms-NAME`, and another that no set's can be where that is too long. */
export function reportName({ kind, name }: Pick<MirrorSet, 'kind' | 'name'>): string {
  const plain = `${shortKinds[kind]}-${name}`;
  if (plain.length <= mostCharacters) return plain;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 32);
  // A full stop where the plain names have a hyphen; no part of a name may end with either.
  return `${shortKinds[kind]}.${hash}-${name}`.slice(0, mostCharacters).replace(/[.-]+$/, '');
}

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
    source,
    policy: source,
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
    source,
    policy: source,
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
      source,
      policy: source,
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

/**
 * The report on a mirror set, without times.
 *
 * @param owner the object of the set: the report is about it, and goes when it goes
 */
export function policyReport(
  { apiVersion, kind }: ReportResource,
  set: Pick<MirrorSet, 'kind' | 'name'>,
  owner: KubeObject,
  { summary, results }: ReportContent,
): KubeObject {
  const reference = {
    apiVersion: owner.apiVersion ?? resources.imageDigestMirrorSets.apiVersion,
    kind: set.kind,
    name: set.name,
    ...(owner.metadata.uid !== undefined && { uid: owner.metadata.uid }),
  };
  return {
    apiVersion,
    kind,
    metadata: {
      name: reportName(set),
      labels: Object.fromEntries([reportLabel]),
      ownerReferences: 'uid' in reference ? [reference] : [],
    },
    ...(kind === resources.openReports.kind && { source }),
    scope: reference,
    summary,
    results,
  };
}

/** Whether it is one of mirrorgate's. */
export function isOwnReport({ metadata }: KubeObject): boolean {
  const [label, value] = reportLabel;
  return metadata.labels?.[label] === value;
}

/** Whether a report that is there says what it should, no matter when. */
export function showsReport(observed: KubeObject, report: KubeObject): boolean {
  return (
    isOwnReport(observed) &&
    isDeepStrictEqual(ownersOf(observed), ownersOf(report)) &&
    isDeepStrictEqual(withoutTimes(observed), withoutTimes(report))
  );
}

/**
 * The report as it is to be written: each result with the time at which it was first there.
 *
 * @param observed what it replaces: times of results that stay, and what others have added to the metadata, are kept
 */
export function datedReport(report: KubeObject, observed: KubeObject | undefined, now: Date): KubeObject {
  const known = new Map(resultsOf(observed).map((result) => [identityOf(result), result['timestamp']]));
  const time = { seconds: Math.floor(now.getTime() / 1000), nanos: 0 };
  const { metadata, ...body } = report;
  return {
    ...body,
    metadata: observed === undefined ? metadata : mergedMetadata(observed.metadata, metadata),
    results: resultsOf(report).map((result) => {
      const before = known.get(identityOf(result));
      return { ...result, timestamp: isTimestamp(before) ? before : time };
    }),
  };
}

function mergedMetadata(
  { uid, resourceVersion, labels, annotations, ...observed }: KubeObject['metadata'],
  wanted: KubeObject['metadata'],
): KubeObject['metadata'] {
  return {
    ...wanted,
    ...(uid !== undefined && { uid }),
    resourceVersion,
    labels: { ...labels, ...wanted.labels },
    ...(annotations !== undefined && { annotations }),
    ...(observed['finalizers'] !== undefined && { finalizers: observed['finalizers'] }),
  };
}

function ownersOf({ metadata }: KubeObject): unknown {
  return metadata['ownerReferences'] ?? [];
}

/** All but metadata and times. */
function withoutTimes(report: KubeObject): object {
  return { ...report, metadata: undefined, results: resultsOf(report).map(withoutTime) };
}

type LooseResult = Readonly<Record<string, unknown>>;

/** The results of a report that anybody may have changed. */
function resultsOf(report: KubeObject | undefined): readonly LooseResult[] {
  const results = report?.['results'];
  if (!Array.isArray(results)) return [];
  return results.filter((result): result is LooseResult => typeof result === 'object' && result !== null);
}

function withoutTime(result: LooseResult): LooseResult {
  return { ...result, timestamp: undefined };
}

/** The same for the same result, whatever the order of its fields and its time. */
function identityOf(result: LooseResult): string {
  return JSON.stringify(sorted(withoutTime(result)));
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.entries(value)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, field]) => [name, sorted(field)]);
}

function isTimestamp(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { seconds, nanos } = value as Readonly<Record<string, unknown>>;
  return Number.isInteger(seconds) && Number.isInteger(nanos);
}
