import type { Clock } from '../distribution/clock.js';
import { ApiError } from './api-error.js';

/**
 * Waits for work, but no longer than `limit`, in ms. The work itself goes on.
 *
 * @param what for the message: `Lease mirrorgate/mirrorgate`
 * @throws {ApiError} `unreachable`, when it takes longer; or what the work rejects with
 */
export async function withinTime(
  clock: Pick<Clock, 'after'>,
  limit: number,
  what: string,
  work: Promise<void>,
): Promise<void> {
  let cancel: () => void = () => undefined;
  const expired = new Promise<never>((_, reject) => {
    cancel = clock.after(limit, () => {
      reject(new ApiError('unreachable', `${what}: no answer in time`));
    });
  });
  try {
    await Promise.race([work, expired]);
  } finally {
    cancel();
  }
}

/**
 * Calls back at a time by a clock that is not the timer's own, and never before it. What it returns cancels it.
 *
 * @param now in ms, as `time`
 */
export function callAt(
  clock: Pick<Clock, 'after'>,
  now: () => number,
  time: number,
  callback: () => void,
): () => void {
  let cancel: () => void = () => undefined;
  const arm = () => {
    cancel = clock.after(Math.max(1, time - now()), () => {
      if (now() < time) arm();
      else callback();
    });
  };
  arm();
  return () => {
    cancel();
  };
}
