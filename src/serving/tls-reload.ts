import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import type { KeyPair } from './key-pair.js';
import { certsCommand, filesOf, loadCerts, type CertSource, type LoadedCerts } from './load-certs.js';
import { ServingError } from './serving-error.js';

export interface TlsReloadOptions {
  readonly source: CertSource;
  /** The pair being served now. */
  readonly current: LoadedCerts;
  /** Serves a new pair from now on: `RunningServer.setSecureContext`. */
  readonly apply: (pair: KeyPair) => void;
  readonly onReloaded?: (certs: LoadedCerts) => void;
  /** The files changed to something that cannot be served; the pair in use stays. Told once per fault. */
  readonly onFault?: (fault: ServingError) => void;
  /** The certificate in use has come to its end, be it from the start; it is served all the same. Told once for each. */
  readonly onExpired?: (fault: ServingError) => void;
  /** How long files must be quiet before they are read, in ms, since the two halves are written one by one. Default 250. */
  readonly settleMs?: number;
  /** How often the files are read without any sign of change, in ms. Default one minute. */
  readonly pollMs?: number;
}

/** The longest time that a timer of Node takes, in ms. */
const longestTimer = 2 ** 31 - 1;

export type TlsReloadOutcome = 'unchanged' | 'reloaded' | 'refused';

export interface TlsReload {
  /** Reads the files now. */
  check(): Promise<TlsReloadOutcome>;
  /** Stops watching; nothing is applied or reported after it resolves. */
  stop(): Promise<void>;
}

/**
 * Keeps a TLS server on the newest good pair. The directories are watched, not the files: a Secret volume swaps a link
 * beside them, and a file that is replaced by renaming takes a watch on itself with it. Polling covers what a watch
 * cannot see: network file systems, a link's target changing in place, a directory that is made anew.
 */
export function watchCerts(options: TlsReloadOptions): TlsReload {
  const { source, apply, onReloaded, onFault, onExpired, settleMs = 250, pollMs = 60_000 } = options;
  const files = filesOf(source);
  const directories = [...new Set([dirname(files.cert), dirname(files.key)])];

  let served = options.current;
  let reportedFault: string | undefined;
  let stopped = false;
  let settling: NodeJS.Timeout | undefined;
  let expiring: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();

  const lookAtExpiry = (): void => {
    clearTimeout(expiring);
    const left = served.expires.getTime() - Date.now();
    if (left > 0) expiring = setTimeout(lookAtExpiry, Math.min(left, longestTimer)).unref();
    else onExpired?.(expiredFault(source, served.expires));
  };
  lookAtExpiry();

  const readOnce = async (): Promise<TlsReloadOutcome> => {
    if (stopped) return 'unchanged';
    try {
      const found = await loadCerts(source);
      // Set by stop() while the files were being read, which the compiler cannot see.
      if (stopped as boolean) return 'unchanged';
      reportedFault = undefined;
      if (found.cert === served.cert && found.key === served.key) return 'unchanged';
      apply(found);
      served = found;
      onReloaded?.(found);
      lookAtExpiry();
      return 'reloaded';
    } catch (error) {
      if (stopped as boolean) return 'unchanged';
      const fault = asFault(error);
      if (fault.message !== reportedFault) onFault?.(fault);
      reportedFault = fault.message;
      return 'refused';
    }
  };
  const check = (): Promise<TlsReloadOutcome> => {
    // One at a time: a slow read must not put an older pair over a newer one.
    const next = running.then(readOnce);
    running = next;
    return next;
  };

  const onChange = () => {
    clearTimeout(settling);
    settling = setTimeout(() => void check(), settleMs).unref();
  };
  let watchers = openWatchers(directories, onChange);
  const poll = setInterval(() => {
    closeAll(watchers);
    watchers = openWatchers(directories, onChange);
    void check();
  }, pollMs).unref();

  return {
    check,
    async stop() {
      stopped = true;
      clearTimeout(settling);
      clearTimeout(expiring);
      clearInterval(poll);
      closeAll(watchers);
      await running;
    },
  };
}

function openWatchers(directories: readonly string[], onChange: () => void): FSWatcher[] {
  return directories.flatMap((directory) => {
    try {
      const watcher = watch(directory, { persistent: false }, onChange);
      watcher.on('error', () => {
        watcher.close();
      });
      return [watcher];
    } catch {
      // The directory is not there at the moment: polling finds it when it is back.
      return [];
    }
  });
}

function closeAll(watchers: readonly FSWatcher[]): void {
  for (const watcher of watchers) watcher.close();
}

function expiredFault(source: CertSource, end: Date): ServingError {
  const remedy =
    'directory' in source
      ? `run: ${certsCommand(source.directory, '--force')}`
      : 'have it renewed; new files are taken up without a restart';
  return new ServingError(
    'CERT_EXPIRED',
    `${filesOf(source).cert} expired on ${end.toISOString().slice(0, 'yyyy-mm-dd'.length)}`,
    `clients refuse it, API servers too: ${remedy}`,
  );
}

function asFault(error: unknown): ServingError {
  if (error instanceof ServingError) return error;
  return new ServingError(
    'CERT_BROKEN',
    'the new certificate could not be put to use',
    'the one in use stays; look at the cause',
    { cause: error },
  );
}
