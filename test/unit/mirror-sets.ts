/** Short ways to write mirror sets and references in tests. */
import {
  makeEntry,
  type MirrorSet,
  type MirrorSetKind,
  type MirrorSourcePolicy,
} from '../../src/mirrors/mirror-set.js';
import { parseReference, type Reference } from '../../src/mirrors/reference.js';

/** Source, mirrors and, where one is meant to be there, a policy. */
export type EntryText = readonly [
  source: string,
  mirrors: readonly string[] | undefined,
  policy?: MirrorSourcePolicy | undefined,
];

export function mirrorSet(
  kind: MirrorSetKind,
  name: string,
  entries: readonly EntryText[],
  labels: Readonly<Record<string, string>> = {},
): MirrorSet {
  return {
    kind,
    name,
    labels,
    deleting: false,
    entries: entries.map(([source, mirrors, policy], index) =>
      makeEntry(kind, index, { source, mirrors, policy }),
    ),
  };
}

export function idms(
  name: string,
  entries: readonly EntryText[],
  labels?: Readonly<Record<string, string>>,
): MirrorSet {
  return mirrorSet('ImageDigestMirrorSet', name, entries, labels);
}

export function itms(
  name: string,
  entries: readonly EntryText[],
  labels?: Readonly<Record<string, string>>,
): MirrorSet {
  return mirrorSet('ImageTagMirrorSet', name, entries, labels);
}

/** A reference (or `*.domain`) that is known to be right. */
export function reference(text: string): Reference {
  const parsed = parseReference(text, { wildcard: true });
  if (!parsed.ok) throw new Error(`${text} ${parsed.fault}`);
  return parsed.reference;
}
