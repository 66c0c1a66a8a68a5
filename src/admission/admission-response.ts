import type { SchemaFault } from '../mirrors/mirror-set-schema.js';
import type { MirrorSetKind } from '../mirrors/mirror-set.js';
import type { Judgement } from '../policy/evaluate.js';
import { describeFinding } from '../policy/finding.js';
import type { Profile } from '../policy/profile.js';
import { auditAnnotations } from './audit-annotations.js';
import { formatDenial, formatMalformed } from './deny-message.js';
import { admissionApiVersion, admissionKind, mirrorSetGroup } from './parse-admission-review.js';
import { printable, shorten } from './printable.js';
import { formatWarnings } from './warnings.js';

/** An answer of `admission.k8s.io/v1`. */
export interface AdmissionReviewResponse {
  readonly apiVersion: typeof admissionApiVersion;
  readonly kind: typeof admissionKind;
  readonly response: {
    /** The request's own. */
    readonly uid: string;
    readonly allowed: boolean;
    readonly status?: FailureStatus;
    readonly warnings?: readonly string[];
    readonly auditAnnotations: Readonly<Record<string, string>>;
  };
}

/** A Kubernetes `Status`: what `kubectl` shows, and what a program can read. */
export interface FailureStatus {
  readonly status: 'Failure';
  readonly code: 403 | 422;
  readonly reason: 'Forbidden' | 'Invalid';
  readonly message: string;
  readonly details: {
    readonly name: string;
    readonly group: typeof mirrorSetGroup;
    readonly kind: MirrorSetKind;
    readonly causes: readonly Cause[];
  };
}

interface Cause {
  /** The rule's id. */
  readonly reason: string;
  /** With the fix: for a reason of `Invalid`, `kubectl` shows the causes and not the status's message. */
  readonly message: string;
  readonly field: string;
}

/** What an answer is about. */
export interface Reviewed {
  readonly uid: string;
  readonly kind: MirrorSetKind;
  readonly name: string;
}

const longestCause = 2048;

/**
 * The answer to a judgement. A denial has status 403; 422 as soon as one denying finding is `invalid-reference`, which
 * says that the object is not what the API defines, and not only unwanted.
 */
export function admissionResponse(
  reviewed: Reviewed,
  judgement: Judgement,
  profile: Profile,
): AdmissionReviewResponse {
  const warnings = formatWarnings(judgement.findings, judgement.notices);
  return answer(reviewed.uid, judgement.allowed, {
    ...(judgement.allowed ? {} : { status: denial(reviewed, judgement, profile) }),
    ...(warnings.length > 0 && { warnings }),
    auditAnnotations: auditAnnotations(judgement, profile),
  });
}

/** The answer for an object whose fields do not have the shape that the API gives them. */
export function malformedResponse(
  reviewed: Reviewed,
  faults: readonly SchemaFault[],
  profile: Profile,
): AdmissionReviewResponse {
  const shown = faults.slice(0, 100);
  return answer(reviewed.uid, false, {
    status: failure(
      reviewed,
      422,
      formatMalformed(reviewed, faults),
      shown.map(({ path, message }) => cause('FieldValueInvalid', message, path)),
    ),
    auditAnnotations: { profile },
  });
}

/** The answer for an object that cannot be read, and must not be held up for it. */
export function waivedResponse(
  reviewed: Reviewed,
  { because, faults }: { readonly because: string; readonly faults: readonly SchemaFault[] },
  profile: Profile,
): AdmissionReviewResponse {
  const [first] = faults;
  const where = first === undefined ? '' : ` (${first.path}: ${first.message})`;
  const notice = `the object cannot be read${where}, so no rule was checked; it is let through since ${because}`;
  return answer(reviewed.uid, true, {
    warnings: formatWarnings([], [notice]),
    auditAnnotations: { profile, 'not-checked': because },
  });
}

function answer(
  uid: string,
  allowed: boolean,
  rest: Omit<AdmissionReviewResponse['response'], 'uid' | 'allowed'>,
): AdmissionReviewResponse {
  return { apiVersion: admissionApiVersion, kind: admissionKind, response: { uid, allowed, ...rest } };
}

function denial(reviewed: Reviewed, { findings }: Judgement, profile: Profile): FailureStatus {
  const { message, shown } = formatDenial(reviewed, findings, profile);
  const invalid = findings.some(({ rule, action }) => action === 'deny' && rule === 'invalid-reference');
  return failure(
    reviewed,
    invalid ? 422 : 403,
    message,
    shown.map((finding) => cause(finding.rule, describeFinding(finding), finding.path)),
  );
}

function failure(
  { kind, name }: Reviewed,
  code: FailureStatus['code'],
  message: string,
  causes: readonly Cause[],
): FailureStatus {
  return {
    status: 'Failure',
    code,
    reason: code === 422 ? 'Invalid' : 'Forbidden',
    message,
    details: { name: shorten(printable(name), 256), group: mirrorSetGroup, kind, causes },
  };
}

function cause(reason: string, message: string, field: string): Cause {
  return {
    reason,
    message: shorten(printable(message), longestCause),
    field: shorten(printable(field), 256),
  };
}
