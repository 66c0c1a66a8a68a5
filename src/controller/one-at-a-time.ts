/**
 * Makes runs that never overlap: a call during a run leads to one more after it, however many calls there are.
 *
 * @returns starts a run; resolves when a run that began after the call has ended, rejects when that run rejects
 */
export function oneAtATime(run: () => Promise<void>): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  let waiting: Promise<void> | undefined;
  return () => {
    waiting ??= last
      // Who called for it was told; the next run is another matter.
      .catch(() => undefined)
      .then(() => {
        waiting = undefined;
        return run();
      });
    last = waiting;
    return waiting;
  };
}
