/** Manifests as people keep them: YAML (several documents, `List` kinds) or JSON, with the line of every field. */
import { isMap, isScalar, type LineCounter } from 'yaml';
import { z } from 'zod';
import type { MirrorSet } from './mirror-set.js';
import {
  isMirrorSetKind,
  mirrorSetApiVersion,
  parseMirrorSet,
  toFault,
  type SchemaFault,
} from './mirror-set-schema.js';
import { parseYamlDocuments, type YamlDocument } from './yaml-documents.js';

/** Where something stands in a manifest; lines and columns count from 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A mirror set with the manifest it was read from. */
export interface ManifestMirrorSet {
  readonly set: MirrorSet;
  readonly file: string;
  /** Finds a field by its path, or the nearest field around it that is there. */
  locate(fieldPath: string): SourcePosition;
}

export interface ManifestFault extends SourcePosition {
  /** One line: the field, what was found and what is expected. */
  readonly message: string;
}

export interface SkippedObject extends SourcePosition {
  readonly kind: string;
  readonly name: string;
}

export interface ParsedManifests {
  readonly sets: readonly ManifestMirrorSet[];
  /** `insecureRegistries` of a cluster image config (`kind: Image`) among the manifests. */
  readonly insecureRegistries: readonly string[];
  /** Objects of kinds that have no meaning here. */
  readonly skipped: readonly SkippedObject[];
  /** What could not be read; the rest is read all the same. */
  readonly faults: readonly ManifestFault[];
}

const imageConfigSchema = z.object({
  spec: z
    .object({ registrySources: z.object({ insecureRegistries: z.array(z.string()).nullish() }).nullish() })
    .nullish(),
});

const objectSchema = z.object({
  apiVersion: z.string().optional(),
  kind: z.string(),
  metadata: z.object({ name: z.string().optional() }).nullish(),
});

/**
 * Reads all objects of one file. Never throws: a document that is broken becomes a fault with its place, and the
 * others are still read.
 *
 * @param file the name that positions carry
 */
export function parseManifests(text: string, file: string): ParsedManifests {
  // A byte order mark is no column.
  const { documents, faults, lineCounter } = parseYamlDocuments(text.replace(/^\ufeff/, ''));
  const collected: Collected = {
    sets: [],
    insecureRegistries: [],
    skipped: [],
    faults: faults.map(({ offset, message }) => ({ ...position(lineCounter, file, offset), message })),
    read: new Set(),
  };
  for (const document of documents) {
    if (document.contents === null || (isScalar(document.contents) && document.contents.value === null))
      continue;
    readDocument(document, lineCounter, file, collected);
  }
  return {
    sets: collected.sets,
    insecureRegistries: collected.insecureRegistries,
    skipped: collected.skipped,
    faults: collected.faults.sort((left, right) => left.line - right.line || left.column - right.column),
  };
}

interface Collected {
  sets: ManifestMirrorSet[];
  insecureRegistries: string[];
  skipped: SkippedObject[];
  faults: ManifestFault[];
  /** Items of lists: an alias may lead to one that was read already, or back to the list around it. */
  read: Set<unknown>;
}

function readDocument(document: YamlDocument, lineCounter: LineCounter, file: string, into: Collected): void {
  const locateIn = (root: readonly PropertyKey[]) => (fieldPath: string) =>
    locate(document, lineCounter, file, [...root, ...splitFieldPath(fieldPath)]);
  const start = locateIn([])('');
  if (!isMap(document.contents)) {
    into.faults.push({
      ...start,
      message: 'expected a Kubernetes object, found something that is not a mapping',
    });
    return;
  }
  let value: unknown;
  try {
    value = document.toJS();
    into.read.add(value);
  } catch (error) {
    // Aliases that expand without end.
    into.faults.push({ ...start, message: error instanceof Error ? error.message : String(error) });
    return;
  }
  readObject(value, [], locateIn, file, into);
}

function readObject(
  value: unknown,
  root: readonly PropertyKey[],
  locateIn: (root: readonly PropertyKey[]) => (fieldPath: string) => SourcePosition,
  file: string,
  into: Collected,
): void {
  const at = locateIn(root);
  const report = ({ path, message }: SchemaFault) => {
    into.faults.push({ ...at(path), message: path === '' ? message : `${path}: ${message}` });
  };

  const object = objectSchema.safeParse(value);
  if (!object.success) {
    for (const issue of object.error.issues) report(toFault(issue));
    return;
  }
  const { kind, apiVersion, metadata } = object.data;

  if (kind.endsWith('List') && typeof value === 'object' && value !== null && 'items' in value) {
    if (!Array.isArray(value.items)) {
      report({ path: 'items', message: 'expected array' });
      return;
    }
    for (const [index, item] of (value.items as unknown[]).entries()) {
      if (typeof item === 'object' && item !== null) {
        if (into.read.has(item)) continue;
        into.read.add(item);
      }
      // The items of a typed list need not repeat their kind.
      const typed: unknown =
        kind !== 'List' && typeof item === 'object' && item !== null && !('kind' in item)
          ? { apiVersion, kind: kind.slice(0, -'List'.length), ...item }
          : item;
      readObject(typed, [...root, 'items', index], locateIn, file, into);
    }
    return;
  }

  if (kind === 'Image' && apiVersion === mirrorSetApiVersion) {
    const config = imageConfigSchema.safeParse(value);
    if (!config.success) for (const issue of config.error.issues) report(toFault(issue));
    else into.insecureRegistries.push(...(config.data.spec?.registrySources?.insecureRegistries ?? []));
    return;
  }

  if (!isMirrorSetKind(kind)) {
    into.skipped.push({ ...at(''), kind, name: metadata?.name ?? '' });
    return;
  }
  if (apiVersion !== mirrorSetApiVersion) {
    report({ path: 'apiVersion', message: `expected ${mirrorSetApiVersion}, found ${apiVersion ?? 'none'}` });
    return;
  }
  const parsed = parseMirrorSet(kind, value);
  if (!parsed.ok) for (const fault of parsed.faults) report(fault);
  else into.sets.push({ set: parsed.set, file, locate: at });
}

function locate(
  document: YamlDocument,
  lineCounter: LineCounter,
  file: string,
  path: readonly PropertyKey[],
): SourcePosition {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    const range =
      typeof node === 'object' && node !== null && 'range' in node ? (node.range as [number] | null) : null;
    if (range != null) return position(lineCounter, file, range[0]);
  }
  return { file, line: 1, column: 1 };
}

function position(lineCounter: LineCounter, file: string, offset: number): SourcePosition {
  const { line, col } = lineCounter.linePos(offset);
  return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** `spec.imageTagMirrors[0].source` → `['spec', 'imageTagMirrors', 0, 'source']`. */
function splitFieldPath(fieldPath: string): (string | number)[] {
  return [...fieldPath.matchAll(/[^.[\]]+/g)].map(([part]) => (/^\d+$/.test(part) ? Number(part) : part));
}
