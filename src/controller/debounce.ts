export interface Debounced {
  /** Something happened: run soon, or a little later when more keeps happening. */
  readonly trigger: () => void;
  /** Runs no more, whatever is triggered from now on. */
  readonly cancel: () => void;
}

/**
 * Turns bursts into single runs: `run` is called once nothing has happened for `quietMs`, and at the latest
 * `longestMs` after the first of a burst, so that a source that never rests is still acted on.
 */
export function debounce(run: () => void, quietMs: number, longestMs: number): Debounced {
  let quiet: NodeJS.Timeout | undefined;
  let longest: NodeJS.Timeout | undefined;
  let isCancelled = false;

  const clear = () => {
    clearTimeout(quiet);
    clearTimeout(longest);
    quiet = longest = undefined;
  };
  const fire = () => {
    clear();
    run();
  };
  return {
    trigger() {
      if (isCancelled) return;
      clearTimeout(quiet);
      quiet = setTimeout(fire, quietMs);
      longest ??= setTimeout(fire, longestMs);
    },
    cancel() {
      isCancelled = true;
      clear();
    },
  };
}
