import type { BackoffOptions } from '../distribution/backoff.js';

/** How a reflector spends its time. `watchSeconds` and `relistMs` are spread: 80 to 100 % of what is given. */
export interface ReflectorTimings {
  /** How long one watch may take before it is begun anew, in seconds. */
  readonly watchSeconds: number;
  /** A watch on which nothing comes for this long, in ms, may have stalled: everything is listed. */
  readonly idleMs: number;
  /** How often everything is listed although the watch works, in ms: should an event have been missed. */
  readonly relistMs: number;
  /** A watch that has been open for this long, in ms, has worked: the fault is over, and the next one is a new one. */
  readonly livedMs: number;
  readonly backoff: BackoffOptions;
}

export const defaultReflectorTimings: ReflectorTimings = {
  watchSeconds: 300,
  idleMs: 90_000,
  relistMs: 30 * 60_000,
  livedMs: 2_000,
  backoff: { shortest: 500, longest: 30_000 },
};
