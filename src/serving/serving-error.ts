/** What can go wrong around serving that a person can put right. Searchable: each code stands in one message. */
export type ServingErrorCode =
  | 'ADDRESS_FORBIDDEN'
  | 'ADDRESS_IN_USE'
  | 'ADDRESS_UNAVAILABLE'
  | 'CA_BUNDLE_ABSENT'
  | 'CA_BUNDLE_CONTESTED'
  | 'CA_BUNDLE_MANAGED'
  | 'CA_BUNDLE_UNWRITABLE'
  | 'CERTS_KEPT'
  | 'CERTS_UNWRITABLE'
  | 'CERT_BROKEN'
  | 'CERT_EXPIRED'
  | 'CERT_MISMATCH'
  | 'CERT_MISSING'
  | 'CERT_STORE_UNUSABLE'
  | 'CERT_STORE_UNWRITABLE'
  | 'HOST_INVALID'
  | 'SERVER_FAULT'
  | 'TLS_HANDSHAKE';

/**
 * An expected failure of serving: one line that says what is wrong, and a hint that says what to do about it. Neither
 * ever holds the content of a certificate or key file.
 */
export class ServingError extends Error {
  override readonly name = 'ServingError';
  readonly code: ServingErrorCode;
  readonly hint: string;

  constructor(code: ServingErrorCode, message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.hint = hint;
  }
}

/** The error number's name (`ENOENT`, `EADDRINUSE`) of an error of the node platform, if it has one. */
export function systemCodeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** One line on an error from elsewhere; `hint` where it carries one of its own, as the errors of mirrorgate do. */
export function wordsOf(error: unknown): { readonly message: string; readonly hint: string | undefined } {
  if (!(error instanceof Error)) return { message: String(error), hint: undefined };
  const hint = 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined;
  return { message: error.message.replace(/\s+/g, ' '), hint };
}
