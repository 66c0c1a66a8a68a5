/** The edge of the model: plain JSON objects of both kinds (config.openshift.io/v1) become mirror sets. */
import { z } from 'zod';
import { entryField, makeEntry, type MirrorSet, type MirrorSetKind } from './mirror-set.js';

export const mirrorSetApiVersion = 'config.openshift.io/v1';

/** A field that does not have the shape the API gives it. */
export interface SchemaFault {
  /** Field path in the object: `spec.imageTagMirrors[0].mirrors`. */
  readonly path: string;
  /** What was expected and what was found. */
  readonly message: string;
}

export type ParsedMirrorSet =
  | { readonly ok: true; readonly set: MirrorSet }
  | { readonly ok: false; readonly faults: readonly SchemaFault[] };

const entrySchema = z.object({
  source: z.string(),
  mirrors: z.array(z.string()).nullish(),
  mirrorSourcePolicy: z.enum(['AllowContactingSource', 'NeverContactSource']).nullish(),
});

const metadataSchema = z.object({
  name: z.string().optional(),
  generateName: z.string().optional(),
  labels: z.record(z.string(), z.string()).nullish(),
  deletionTimestamp: z.string().nullish(),
});

const schemas = {
  ImageDigestMirrorSet: z.object({
    metadata: metadataSchema,
    spec: z.object({ imageDigestMirrors: z.array(entrySchema).nullish() }).nullish(),
  }),
  ImageTagMirrorSet: z.object({
    metadata: metadataSchema,
    spec: z.object({ imageTagMirrors: z.array(entrySchema).nullish() }).nullish(),
  }),
};

/** True for the two kinds that mirrorgate judges. */
export function isMirrorSetKind(kind: unknown): kind is MirrorSetKind {
  return typeof kind === 'string' && Object.hasOwn(entryField, kind);
}

/**
 * Parses one object whose kind is known. Unknown fields are ignored, as the API prunes them. References are parsed
 * but not required to be right: the rule `invalid-reference` reports those.
 */
export function parseMirrorSet(kind: MirrorSetKind, value: unknown): ParsedMirrorSet {
  const parsed = schemas[kind].safeParse(value);
  if (!parsed.success) return { ok: false, faults: parsed.error.issues.map(toFault) };

  const { metadata, spec } = parsed.data;
  const name = metadata.name ?? (metadata.generateName === undefined ? '' : `${metadata.generateName}…`);
  if (name === '')
    return { ok: false, faults: [{ path: 'metadata.name', message: 'expected a name, found none' }] };

  const items = (
    spec as Record<string, z.infer<typeof entrySchema>[] | null | undefined> | null | undefined
  )?.[entryField[kind]];
  return {
    ok: true,
    set: {
      kind,
      name,
      labels: metadata.labels ?? {},
      deleting: metadata.deletionTimestamp != null,
      entries: (items ?? []).map((item, index) =>
        makeEntry(kind, index, {
          source: item.source,
          mirrors: item.mirrors ?? undefined,
          policy: item.mirrorSourcePolicy ?? undefined,
        }),
      ),
    },
  };
}

/** Field path as Kubernetes writes it: `spec.imageTagMirrors[0].source`. */
export function formatFieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

/** One sentence for a zod issue, in the words a user of Kubernetes knows. */
export function toFault(issue: z.core.$ZodIssue): SchemaFault {
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    return { path: formatFieldPath([...issue.path, key]), message: 'unknown field' };
  }
  const inner = issue.code === 'invalid_key' ? issue.issues[0] : undefined;
  return {
    path: formatFieldPath(issue.path),
    message: (inner ?? issue).message
      .replace(/^Invalid (?:input|option): /, '')
      .replace(/received undefined$/, 'found none')
      .replace(/received (\w+)$/, 'found $1')
      .replaceAll('"|"', '", "'),
  };
}
