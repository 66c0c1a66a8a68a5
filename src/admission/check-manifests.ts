import type {
  ManifestFault,
  ManifestMirrorSet,
  ParsedManifests,
  SkippedObject,
  SourcePosition,
} from '../mirrors/manifest.js';
import type { InsecureRegistries } from '../mirrors/insecure-registries.js';
import { emptyIndex, indexMirrorSets, joinIndex, type MirrorSetIndex } from '../mirrors/mirror-set-index.js';
import { keyOf, type MirrorSet } from '../mirrors/mirror-set.js';
import { groupBy } from '../mirrors/group-by.js';
import { ruleIds } from '../policy/catalogue.js';
import { evaluate, type Judgement } from '../policy/evaluate.js';
import type { Exemption } from '../policy/exemption.js';
import { actions, describeFinding, type Action, type Finding } from '../policy/finding.js';
import type { MirrorPolicy } from '../policy/policy.js';

export interface CheckContext {
  readonly policy: MirrorPolicy;
  readonly now: Date;
  readonly insecure: InsecureRegistries;
  /** The mirror sets of a cluster, which those in the manifests join or, by kind and name, replace. */
  readonly liveIndex?: MirrorSetIndex | undefined;
}

/** A finding with the place of its field in a manifest. */
export interface ReportedFinding extends Finding {
  readonly source: SourcePosition;
}

export interface CheckSummary extends Readonly<Record<Action, number>> {
  /** Mirror sets that were judged. */
  readonly sets: number;
  /** Findings that an exemption took out; there when it is more than none. */
  readonly exempted?: number;
}

export interface CheckReport {
  /** By file as given, line, column, and then as the catalogue lists the rules. */
  readonly findings: readonly ReportedFinding[];
  readonly exempted: readonly { readonly finding: ReportedFinding; readonly exemption: Exemption }[];
  /** Each once. */
  readonly notices: readonly string[];
  readonly summary: CheckSummary;
  /** Documents that could not be read, and were not judged. */
  readonly faults: readonly ManifestFault[];
  /** Objects of other kinds. */
  readonly skipped: readonly SkippedObject[];
  /** The sets without a finding that denies. */
  readonly admitted: readonly MirrorSet[];
}

/** One mirror set, judged. */
export interface JudgedManifest {
  readonly manifest: ManifestMirrorSet;
  readonly judgement: Judgement;
}

/**
 * Judges the mirror sets of manifests, each as if it were created beside all the others. Pure; what could not be read
 * is passed on, and the rest judged.
 */
export function checkManifests(parsed: readonly ParsedManifests[], context: CheckContext): CheckReport {
  return reportOn(parsed, [...judgeManifests(parsed, context)]);
}

/** The same, one set at a time: for a caller who has other things to do in between. */
export function* judgeManifests(
  parsed: readonly ParsedManifests[],
  { liveIndex, ...context }: CheckContext,
): Generator<JudgedManifest> {
  const manifests = parsed.flatMap(({ sets }) => sets);
  const sets = manifests.map(({ set }) => set);
  const index = liveIndex === undefined ? indexMirrorSets(sets) : joinIndex(liveIndex, sets);
  // All of the manifests are new at once: what they break together, none of them found broken.
  const before = liveIndex ?? emptyIndex;
  for (const manifest of manifests) {
    yield {
      manifest,
      judgement: evaluate({ operation: 'CREATE', set: manifest.set }, { ...context, index, before }),
    };
  }
}

/** Puts the judgements on all sets of manifests into one report. */
export function reportOn(parsed: readonly ParsedManifests[], judged: readonly JudgedManifest[]): CheckReport {
  const findings = inFileOrder(
    judged.flatMap(({ manifest, judgement }) =>
      judgement.findings.map((finding) => report(finding, manifest)),
    ),
    parsed,
  );
  const exempted = judged.flatMap(({ manifest, judgement }) =>
    judgement.exempted.map(({ finding, exemption }) => ({ finding: report(finding, manifest), exemption })),
  );
  return {
    findings,
    exempted,
    notices: noticesOf(judged),
    summary: summarise(findings, judged.length, exempted.length),
    faults: parsed.flatMap(({ faults }) => faults),
    skipped: parsed.flatMap(({ skipped }) => skipped),
    admitted: judged.filter(({ judgement }) => judgement.allowed).map(({ manifest }) => manifest.set),
  };
}

/** What `check -o json` prints, and what `POST /check` answers beside more. */
export interface CheckJson {
  readonly findings: readonly object[];
  readonly summary: CheckSummary;
}

export function reportAsJson({ findings, summary }: CheckReport): CheckJson {
  return {
    findings: findings.map(({ rule, action, kind, name, path, suggestion, source, ...texts }) => ({
      rule,
      action,
      kind,
      name,
      path,
      message: describeFinding(texts),
      ...(suggestion !== undefined && { suggestion }),
      source: { file: source.file, line: source.line },
    })),
    summary,
  };
}

/** What the command line says on stderr, and `POST /check` in its answer; what there is none of is left out. */
export function notesAsJson({ notices, faults, skipped }: CheckReport): object {
  return {
    ...(notices.length > 0 && { notices }),
    ...(faults.length > 0 && { faults: faults.map(faultAsJson) }),
    ...(skipped.length > 0 && {
      skipped: skipped.map(({ kind, name, file, line }) => ({ kind, name, source: { file, line } })),
    }),
  };
}

/** A document that could not be read, with its place. */
export function faultAsJson({ message, file, line, column }: ManifestFault): object {
  return { message, source: { file, line, column } };
}

function report(finding: Finding, manifest: ManifestMirrorSet): ReportedFinding {
  return { ...finding, source: manifest.locate(finding.path) };
}

function inFileOrder(
  findings: readonly ReportedFinding[],
  parsed: readonly ParsedManifests[],
): ReportedFinding[] {
  const files = new Map<string, number>();
  for (const { file } of parsed.flatMap(({ sets }) => sets)) {
    if (!files.has(file)) files.set(file, files.size);
  }
  const fileOf = ({ source }: ReportedFinding) => files.get(source.file) ?? files.size;
  const ranks = new Map(ruleIds.map((id, rank) => [id, rank]));
  const rankOf = ({ rule }: ReportedFinding) => ranks.get(rule) ?? ranks.size;
  return findings.toSorted(
    (left, right) =>
      fileOf(left) - fileOf(right) ||
      left.source.line - right.source.line ||
      left.source.column - right.source.column ||
      rankOf(left) - rankOf(right),
  );
}

function summarise(findings: readonly Finding[], sets: number, exempted: number): CheckSummary {
  const counts = Object.fromEntries(
    actions.map((action) => [action, findings.filter((finding) => finding.action === action).length]),
  ) as Record<Action, number>;
  return { ...counts, sets, ...(exempted > 0 && { exempted }) };
}

function noticesOf(judged: readonly JudgedManifest[]): string[] {
  const manifests = judged.map(({ manifest }) => manifest);
  const repeated = [...groupBy(manifests, ({ set }) => keyOf(set)).values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined || same.length === 1) return [];
    const places = same.map((each) => `${each.file}:${each.locate('metadata.name').line}`).join(', ');
    return [
      `${first.set.kind} "${first.set.name}" stands ${same.length} times (${places}): in a cluster the last one holds`,
    ];
  });
  return [...new Set([...repeated, ...judged.flatMap(({ judgement }) => judgement.notices)])];
}
