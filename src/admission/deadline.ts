import type { Request } from 'express';
import { parseGoDuration } from './go-duration.js';
import { queryParameter } from './query.js';
import { done, refuse, type Step } from './refusal.js';

/** The moment by which a request has to be answered. */
export interface Deadline {
  /** ms that are left; zero or less when nobody waits for the answer any more. */
  remaining(): number;
}

/** What the API server gives a webhook that does not say otherwise, and the most it gives; ms. */
export const defaultTimeout = 10_000;
export const longestTimeout = 30_000;

/** Kept back for the way of the answer, so that the client still reads that it came too late. */
function margin(timeout: number): number {
  return Math.min(timeout / 10, 500);
}

/**
 * Reads `?timeout=` and starts the clock. A timeout over 30 s counts as 30 s; one that is no Go duration is refused,
 * since guessing would mean to answer when nobody listens.
 *
 * @param clock monotonic, in ms
 * @param otherwise the timeout in ms where the request states none
 */
export function startDeadline(
  request: Pick<Request, 'query'>,
  clock: () => number,
  otherwise: number = defaultTimeout,
): Step<Deadline> {
  const started = clock();
  const parameter = queryParameter(request, 'timeout');
  if (!parameter.ok) return parameter;
  const asked = parameter.value === undefined ? otherwise : parseGoDuration(parameter.value);
  if (asked === undefined) {
    return refuse(
      'invalid-parameter',
      'the query parameter "timeout" is not a duration such as 10s or 1m30s',
    );
  }
  const timeout = Math.min(asked, longestTimeout);
  const end = started + timeout - margin(timeout);
  return done({ remaining: () => end - clock() });
}

/** What is said when an answer would come too late. */
export function tooLate(): ReturnType<typeof refuse> {
  return refuse('deadline-exceeded', 'the time to answer in is over; nothing was decided');
}
