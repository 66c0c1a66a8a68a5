/** What can go wrong around serving that a person can put right. Searchable: each code stands in one message. */
export type ServingErrorCode =
  | 'ADDRESS_FORBIDDEN'
  | 'ADDRESS_IN_USE'
  | 'ADDRESS_UNAVAILABLE'
  | 'CERTS_KEPT'
  | 'CERTS_UNWRITABLE'
  | 'CERT_BROKEN'
  | 'CERT_MISMATCH'
  | 'CERT_MISSING'
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
