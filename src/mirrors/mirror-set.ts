import { covers, parseReference, type ParsedReference, type Reference } from './reference.js';

export type MirrorSetKind = 'ImageDigestMirrorSet' | 'ImageTagMirrorSet';
export type MirrorSourcePolicy = 'AllowContactingSource' | 'NeverContactSource';

/** One IDMS or ITMS object. */
export interface MirrorSet {
  readonly kind: MirrorSetKind;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `metadata.deletionTimestamp` is set: the object only waits for its finalizers. */
  readonly deleting: boolean;
  readonly entries: readonly Entry[];
}

/** One item of `spec.imageDigestMirrors` or `spec.imageTagMirrors`. */
export interface Entry {
  /** Field path in the object: `spec.imageTagMirrors[0]`. */
  readonly path: string;
  readonly source: LocatedReference;
  readonly mirrors: readonly LocatedReference[];
  /** As written; absent counts as `AllowContactingSource`. */
  readonly policy: MirrorSourcePolicy | undefined;
}

/** A reference with the text it was written as and the field it stands in. */
export interface LocatedReference {
  readonly path: string;
  readonly text: string;
  readonly parsed: ParsedReference;
}

/** An entry whose source and mirrors are known to be references; mirrors that are not are left out. */
export interface ValidEntry {
  readonly set: MirrorSet;
  readonly path: string;
  readonly source: Reference;
  readonly mirrors: readonly { readonly path: string; readonly reference: Reference }[];
  readonly policy: MirrorSourcePolicy | undefined;
}

/** `spec.imageDigestMirrors` or `spec.imageTagMirrors`. */
export const entryField = {
  ImageDigestMirrorSet: 'imageDigestMirrors',
  ImageTagMirrorSet: 'imageTagMirrors',
} as const satisfies Record<MirrorSetKind, string>;

/** The label, and its value, that keep a mirror set from Windows nodes. */
export const osLabel = 'mirrorgate.dev/os';
export const linuxOs = 'linux';

/** Identity of a mirror set in a cluster. */
export function keyOf(set: Pick<MirrorSet, 'kind' | 'name'>): string {
  return `${set.kind}/${set.name}`;
}

/** Orders mirror sets by kind, then name: the order in which lists merge, whatever order they were read in. */
export function compareMirrorSets(
  left: Pick<MirrorSet, 'kind' | 'name'>,
  right: Pick<MirrorSet, 'kind' | 'name'>,
): number {
  return compareText(left.kind, right.kind) || compareText(left.name, right.name);
}

/** Code unit order: the same on every machine, unlike a locale's. */
export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Builds an entry from its plain values, parsing each reference and giving it its field path. */
export function makeEntry(
  kind: MirrorSetKind,
  index: number,
  value: {
    readonly source: string;
    readonly mirrors?: readonly string[] | undefined;
    readonly policy?: MirrorSourcePolicy | undefined;
  },
): Entry {
  const path = `spec.${entryField[kind]}[${index}]`;
  return {
    path,
    source: locate(`${path}.source`, value.source, true),
    mirrors: (value.mirrors ?? []).map((text, at) => locate(`${path}.mirrors[${at}]`, text, false)),
    policy: value.policy,
  };
}

/** The entries of a set that have an effect on a node: those whose source is a reference. */
export function validEntries(set: MirrorSet): ValidEntry[] {
  return set.entries.flatMap((entry) => {
    if (!entry.source.parsed.ok) return [];
    const mirrors = entry.mirrors.flatMap(({ path, parsed }) =>
      parsed.ok ? [{ path, reference: parsed.reference }] : [],
    );
    return [{ set, path: entry.path, source: entry.source.parsed.reference, mirrors, policy: entry.policy }];
  });
}

/** The policy in force: an absent one counts as `AllowContactingSource`. */
export function policyOf(entry: Pick<ValidEntry, 'policy'>): MirrorSourcePolicy {
  return entry.policy ?? 'AllowContactingSource';
}

/** True when an entry is for Linux nodes alone: by its set's label, or because its source is listed as Linux-only. */
export function isLinuxOnly(
  set: MirrorSet,
  source: Reference,
  linuxOnlySources: readonly Reference[],
): boolean {
  return set.labels[osLabel] === linuxOs || linuxOnlySources.some((outer) => covers(outer, source));
}

function locate(path: string, text: string, wildcard: boolean): LocatedReference {
  return { path, text, parsed: parseReference(text, { wildcard }) };
}
