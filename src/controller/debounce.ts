export interface Debounced {
  /** Something happened: run soon, or a little later when more keeps happening. */
  readonly trigger: () => void;
  /** Runs no more. */
  readonly cancel: () => void;
}

/**
 * Turns bursts into single runs: `run` is called once nothing has happened for `quietMs`, and at the latest
 * `longestMs` after the first of a burst, so that a source that never rests is still acted on.
 */
export function debounce(run: () => void, quietMs: number, longestMs: number): Debounced {
  let quiet: NodeJS.Timeout | undefined;
  let longest: NodeJS.Timeout | undefined;

  const cancel = () => {
    clearTimeout(quiet);
    clearTimeout(longest);
    quiet = longest = undefined;
  };
  const fire = () => {
    cancel();
    run();
  };
  return {
    trigger() {
      clearTimeout(quiet);
      quiet = setTimeout(fire, quietMs);
      longest ??= setTimeout(fire, longestMs);
    },
    cancel,
  };
}
