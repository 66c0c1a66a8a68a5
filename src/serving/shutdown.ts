import { constants } from 'node:os';

export type StopSignal = 'SIGINT' | 'SIGTERM';

export interface SignalOptions {
  /** Where the signals come from: `process`. */
  readonly source: Pick<NodeJS.Process, 'on' | 'off'>;
  /** Ends the process at once: `process.exit`. */
  readonly exit: (code: number) => void;
  /** Monotonic clock in ms. */
  readonly now?: () => number;
}

export interface SignalWatch {
  /** Resolves at the first SIGINT or SIGTERM. */
  readonly received: Promise<StopSignal>;
  /** Removes the listeners: from then on a signal has its default effect again. */
  release(): void;
}

/**
 * One Ctrl-C can arrive twice: the terminal signals the whole foreground group, and `npm start` passes on its own copy.
 * The same signal again within this time, in ms, is taken for the same key press.
 */
const echoMs = 500;

/**
 * Turns the first SIGINT or SIGTERM into a value, for an orderly stop. The second, meanwhile, is someone who does not
 * want to wait: it exits at once with the shell's code for it, 130 or 143.
 */
export function untilSignal({ source, exit, now = () => performance.now() }: SignalOptions): SignalWatch {
  let resolve: (signal: StopSignal) => void;
  const received = new Promise<StopSignal>((settle) => {
    resolve = settle;
  });
  let first: { readonly signal: StopSignal; readonly at: number } | undefined;

  const listener = (signal: StopSignal) => {
    if (first === undefined) {
      first = { signal, at: now() };
      resolve(signal);
      return;
    }
    if (signal === first.signal && now() - first.at < echoMs) return;
    exit(exitCodeOf(signal));
  };
  source.on('SIGINT', listener);
  source.on('SIGTERM', listener);

  return {
    received,
    release() {
      source.off('SIGINT', listener);
      source.off('SIGTERM', listener);
    },
  };
}

/** What a shell reports for a process that a signal ended: 128 and the signal's number. */
export function exitCodeOf(signal: StopSignal): number {
  return 128 + constants.signals[signal];
}
