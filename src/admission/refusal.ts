import type { Response } from 'express';

/** Every way in which a request can fail to be answered, by the code that clients and logs see. */
export const refusalStatus = {
  'bad-request': 400,
  'body-incomplete': 400,
  'empty-body': 400,
  'malformed-json': 400,
  'malformed-text': 400,
  'invalid-parameter': 400,
  'not-an-admission-review': 400,
  'unsupported-version': 400,
  'unknown-kind': 400,
  'invalid-review': 400,
  'not-found': 404,
  'method-not-allowed': 405,
  'body-timeout': 408,
  'body-too-large': 413,
  'unsupported-media-type': 415,
  'invalid-manifests': 422,
  internal: 500,
  'deadline-exceeded': 504,
} as const satisfies Record<string, number>;

export type RefusalCode = keyof typeof refusalStatus;

/** Why a request gets an error instead of an answer. */
export interface Refusal {
  readonly code: RefusalCode;
  /** One line: what was found and what is expected. */
  readonly message: string;
  /** Each fault with its place, where a request has several. */
  readonly faults?: readonly object[];
}

/** What one step of a request comes to. */
export type Step<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Refusal };

export function done<T>(value: T): Step<T> {
  return { ok: true, value };
}

export function refuse(
  code: RefusalCode,
  message: string,
  faults?: Refusal['faults'],
): { readonly ok: false; readonly refusal: Refusal } {
  return { ok: false, refusal: { code, message, ...(faults !== undefined && { faults }) } };
}

/** Answers with `{"error":{"code","message"}}`, and `faults` where there are several to tell. */
export function sendRefusal(response: Response, refusal: Refusal): void {
  // A client that hung up, or an answer that is already on its way: there is nobody to tell.
  if (response.headersSent || response.destroyed) return;
  response.status(refusalStatus[refusal.code]).json({ error: refusal });
}
