import { z } from 'zod';
import { mirrorSetApiVersion, toFault, type SchemaFault } from '../mirrors/mirror-set-schema.js';
import type { MirrorSetKind } from '../mirrors/mirror-set.js';
import type { Requester } from '../policy/exemption.js';
import type { Operation } from '../policy/rule.js';
import { printable, shorten } from './printable.js';
import { done, refuse, type RefusalCode, type Step } from './refusal.js';

export const admissionApiVersion = 'admission.k8s.io/v1';
export const admissionKind = 'AdmissionReview';
export const mirrorSetGroup = 'config.openshift.io';

export type JsonObject = Readonly<Record<string, unknown>>;

/** The part of an AdmissionReview that is asked for, known to be whole; the objects themselves are not read yet. */
export interface ReviewRequest {
  readonly uid: string;
  readonly kind: MirrorSetKind;
  readonly operation: Operation;
  /** As the API server states it; absent while a name is still to be generated. */
  readonly name: string | undefined;
  readonly dryRun: boolean;
  readonly requester: Requester | undefined;
  /** There for CREATE and UPDATE. */
  readonly object: JsonObject | undefined;
  /** There for UPDATE and DELETE. */
  readonly oldObject: JsonObject | undefined;
}

const operations = ['CREATE', 'UPDATE', 'DELETE'] as const satisfies readonly Operation[];
const kinds = ['ImageDigestMirrorSet', 'ImageTagMirrorSet'] as const satisfies readonly MirrorSetKind[];

const requestSchema = z.object({
  uid: z.string().min(1).max(256),
  kind: z.object({
    group: z.literal(mirrorSetGroup, { error: expected(mirrorSetGroup) }),
    version: z.literal('v1', { error: expected('v1') }),
    kind: z.enum(kinds, { error: expected(kinds.join(' or ')) }),
  }),
  operation: z.enum(operations, { error: expected(operations.join(', ')) }),
  name: z.string().nullish(),
  dryRun: z.boolean().nullish(),
  userInfo: z.object({ username: z.string().nullish(), groups: z.array(z.string()).nullish() }).nullish(),
  object: z.unknown(),
  oldObject: z.unknown(),
});

/** Which objects a request for an operation must carry. */
const carried: Readonly<Record<Operation, readonly ('object' | 'oldObject')[]>> = {
  CREATE: ['object'],
  UPDATE: ['object', 'oldObject'],
  DELETE: ['oldObject'],
};

/** Reads a parsed body as an `admission.k8s.io/v1` AdmissionReview of one of the two kinds. */
export function parseAdmissionReview(body: unknown): Step<ReviewRequest> {
  if (!isObject(body)) {
    return refuse('not-an-admission-review', `expected an ${admissionKind}, found ${describe(body)}`);
  }
  if (body['kind'] !== admissionKind)
    return wrong('not-an-admission-review', 'kind', admissionKind, body['kind']);
  if (body['apiVersion'] !== admissionApiVersion) {
    return wrong('unsupported-version', 'apiVersion', admissionApiVersion, body['apiVersion']);
  }
  const request = requestSchema.safeParse(body['request']);
  if (!request.success) {
    const faults = request.error.issues.map((issue) =>
      toFault({ ...issue, path: ['request', ...issue.path] }),
    );
    const unknownKind = faults.some(({ path }) => path.startsWith('request.kind'));
    return refuseFaults(unknownKind ? 'unknown-kind' : 'invalid-review', faults);
  }

  const { data } = request;
  const faults = carried[data.operation].flatMap((field) =>
    objectFaults(`request.${field}`, data[field], data.kind.kind, data.operation),
  );
  if (faults.length > 0) return refuseFaults('invalid-review', faults);
  return done({
    uid: data.uid,
    kind: data.kind.kind,
    operation: data.operation,
    name: data.name == null || data.name === '' ? undefined : data.name,
    dryRun: data.dryRun ?? false,
    requester:
      data.userInfo?.username == null
        ? undefined
        : { name: data.userInfo.username, groups: data.userInfo.groups ?? [] },
    object: isObject(data.object) ? data.object : undefined,
    oldObject: isObject(data.oldObject) ? data.oldObject : undefined,
  });
}

/** An object of another kind would be judged as one that has no entries, and let through. */
function objectFaults(
  path: string,
  value: unknown,
  kind: MirrorSetKind,
  operation: Operation,
): SchemaFault[] {
  if (!isObject(value)) {
    return [{ path, message: `expected an object, which ${operation} needs, found ${describe(value)}` }];
  }
  const faults: SchemaFault[] = [];
  const { kind: ownKind, apiVersion } = value;
  if (ownKind !== undefined && ownKind !== kind) {
    faults.push({
      path: `${path}.kind`,
      message: `expected ${kind} as in request.kind, found ${describe(ownKind)}`,
    });
  }
  if (apiVersion !== undefined && apiVersion !== mirrorSetApiVersion) {
    faults.push({
      path: `${path}.apiVersion`,
      message: `expected ${mirrorSetApiVersion} as in request.kind, found ${describe(apiVersion)}`,
    });
  }
  return faults;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function expected(what: string) {
  return ({ input }: { readonly input?: unknown }) => `expected ${what}, found ${describe(input)}`;
}

/** A value in an error message: short texts as they are, everything else by its type. */
function describe(value: unknown): string {
  if (value === undefined) return 'none';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'string') return JSON.stringify(shorten(printable(value), 80));
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function wrong(code: RefusalCode, path: string, what: string, found: unknown): ReturnType<typeof refuse> {
  return refuseFaults(code, [{ path, message: `expected ${what}, found ${describe(found)}` }]);
}

function refuseFaults(code: RefusalCode, faults: readonly SchemaFault[]): ReturnType<typeof refuse> {
  const [first, ...more] = faults;
  const text = first === undefined ? 'the review is malformed' : `${first.path}: ${first.message}`;
  return refuse(code, more.length === 0 ? text : `${text} (and ${more.length} more)`, faults);
}
