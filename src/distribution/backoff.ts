/** How long to wait before a node that failed is tried again, in milliseconds. */
export interface BackoffOptions {
  readonly shortest: number;
  readonly longest: number;
}

export const defaultBackoff: BackoffOptions = { shortest: 5_000, longest: 300_000 };

/**
 * The wait after `failures` failures in a row: 5 to 10 s after the first, twice that after each further one, never
 * over 5 min. The spread keeps nodes that failed together from coming back together.
 *
 * @param failures how often in a row, at least 1
 * @param random a number in [0, 1)
 */
export function backoffDelay(
  failures: number,
  random: number,
  options: BackoffOptions = defaultBackoff,
): number {
  const upper = Math.min(options.longest, options.shortest * 2 ** Math.min(failures, 52));
  const lower = Math.max(options.shortest, upper / 2);
  return Math.round(Math.min(lower, upper) + random * Math.max(0, upper - lower));
}
