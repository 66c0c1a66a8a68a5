/** What kept a request to the API server from being done. */
export type ApiErrorCode =
  | 'unreachable'
  | 'stalled'
  | 'unauthorized'
  | 'forbidden'
  | 'not-found'
  | 'already-exists'
  | 'conflict'
  | 'gone'
  | 'invalid'
  | 'overloaded'
  | 'server';

/** A request to the API server failed. Message and hint are each one line, and hold no secret. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiErrorCode;
  /** What a person can do about it. */
  readonly hint: string;
  /** How long the server asks to wait before the next try, in ms. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ApiErrorCode,
    message: string,
    options: { readonly retryAfterMs?: number | undefined; readonly cause?: unknown } = {},
  ) {
    super(message.replace(/\s+/g, ' ').trim(), { cause: options.cause });
    this.code = code;
    this.hint = hints[code];
    this.retryAfterMs = options.retryAfterMs;
  }
}

const hints: Readonly<Record<ApiErrorCode, string>> = {
  unreachable: 'check that the API server is up and can be reached from here; mirrorgate goes on trying',
  stalled:
    'something on the way drops connections without a word: look for a firewall, proxy or load balancer that forgets idle ones',
  unauthorized: 'the token or certificate is not accepted: check the service account, or the kubeconfig',
  forbidden: 'a Role or ClusterRole is missing: compare with manifests/base/rbac.yaml',
  'not-found': 'it is not there (any more)',
  'already-exists': 'somebody else has made it meanwhile',
  conflict: 'somebody else has changed it meanwhile; it is read again',
  gone: 'the version asked for is no longer kept by the API server; everything is listed again',
  invalid: 'the API server does not take the object: look at the message',
  overloaded: 'the API server asks to wait; mirrorgate does',
  server: 'look at the log of the API server; mirrorgate goes on trying',
};

/** The part of a `Status` (meta/v1) that tells what went wrong. */
interface ApiStatus {
  readonly message?: unknown;
  readonly reason?: unknown;
  readonly details?: { readonly retryAfterSeconds?: unknown };
}

/**
 * The error for an answer that says no.
 *
 * @param what the request, for the message: `list nodes`
 * @param body the answer's body as text, a `Status` where the API server itself answered
 */
export function errorOfAnswer(what: string, httpStatus: number, body: string): ApiError {
  const status = parseStatus(body);
  const message = typeof status.message === 'string' ? status.message : `HTTP ${httpStatus}`;
  const seconds = status.details?.retryAfterSeconds;
  return new ApiError(codeOf(httpStatus, status.reason), `${what}: ${message}`, {
    retryAfterMs: typeof seconds === 'number' ? seconds * 1000 : undefined,
  });
}

/** The error for a request that got no answer. */
export function errorOfFailure(what: string, error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError('unreachable', `${what}: ${describe(error)}`, { cause: error });
}

export function isApiError(error: unknown, ...codes: readonly ApiErrorCode[]): error is ApiError {
  return error instanceof ApiError && codes.includes(error.code);
}

function codeOf(httpStatus: number, reason: unknown): ApiErrorCode {
  switch (httpStatus) {
    case 401:
      return 'unauthorized';
    case 403:
      return 'forbidden';
    case 404:
      return 'not-found';
    case 409:
      return reason === 'AlreadyExists' ? 'already-exists' : 'conflict';
    case 410:
      return 'gone';
    case 429:
      return 'overloaded';
    default:
      return httpStatus >= 400 && httpStatus < 500 ? 'invalid' : 'server';
  }
}

function parseStatus(body: string): ApiStatus {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** The innermost cause says most: fetch itself says no more than that it failed. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'no answer in time';
  if (error.cause instanceof Error) return describe(error.cause);
  const { code } = error as NodeJS.ErrnoException;
  const fault = code === undefined ? undefined : socketFaults[code];
  return fault ?? (error.message === '' ? (code ?? error.name) : error.message);
}

const socketFaults: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  ENOTFOUND: 'the host name cannot be resolved',
  EAI_AGAIN: 'the host name cannot be resolved at the moment',
  ETIMEDOUT: 'no answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'no answer in time',
};
