import type { Logger } from 'pino';
import type { SignalWatch } from '../serving/shutdown.js';

/** A mode that runs until it is stopped. */
export interface RunningMode {
  readonly url: string;
  readonly metricsUrl: string;
  stop(options: { readonly drainMs: number }): Promise<void>;
}

export interface ServeUntilStoppedOptions {
  readonly log: Logger;
  readonly signals: Pick<SignalWatch, 'received'>;
  readonly drainMs: number;
  /** Ends a start that waits for something. */
  readonly abandon: () => void;
}

/** Tells where a mode serves once it has started, and stops it in order at the first signal, even before that. */
export async function serveUntilStopped(
  starting: Promise<RunningMode>,
  { log, signals, drainMs, abandon }: ServeUntilStoppedOptions,
): Promise<void> {
  const first = await Promise.race([starting, signals.received]);
  if (typeof first === 'string') {
    log.info({ signal: first }, `${first}: stopping before the start was done`);
    abandon();
    await starting.then(
      (started) => started.stop({ drainMs: 0 }),
      () => undefined,
    );
    return;
  }
  const { url, metricsUrl } = first;
  log.info(
    { url, metrics: metricsUrl },
    `serving ${url}/validate/mirror-sets and ${url}/check; metrics at ${metricsUrl}/metrics`,
  );
  const signal = await signals.received;
  log.info({ signal }, `${signal}: stopping; a second one stops at once`);
  await first.stop({ drainMs });
  log.info('stopped');
}
