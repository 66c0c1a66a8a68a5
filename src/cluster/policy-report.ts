/** The object that holds what there is to say about a mirror set, of either kind of report. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { MirrorSet, MirrorSetKind } from '../mirrors/mirror-set.js';
import { resources, type KubeObject } from './kube-object.js';
import { reportSource, type ReportContent } from './report-content.js';

/** The two kinds of report; what they hold is the same but for the source of the whole, which only OpenReports knows. */
export type ReportResource = typeof resources.openReports | typeof resources.policyReports;

/** The label that tells whose report it is; others are never touched. */
export const reportLabel = ['app.kubernetes.io/managed-by', 'mirrorgate'] as const;

/** Of a name in the API. */
const mostCharacters = 253;

const shortKinds = {
  ImageDigestMirrorSet: 'idms',
  ImageTagMirrorSet: 'itms',
} as const satisfies Record<MirrorSetKind, string>;

/** The name of a set's report: `idms-NAME` or `itms-NAME`, and another that no set's can be where that is too long. */
export function reportName({ kind, name }: Pick<MirrorSet, 'kind' | 'name'>): string {
  const plain = `${shortKinds[kind]}-${name}`;
  if (plain.length <= mostCharacters) return plain;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 32);
  // A full stop where the plain names have a hyphen; no part of a name may end with either.
  return `${shortKinds[kind]}.${hash}-${name}`.slice(0, mostCharacters).replace(/[.-]+$/, '');
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
    ...(kind === resources.openReports.kind && { source: reportSource }),
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
