import { dirname, join } from 'node:path';
import type { HostKeyStore } from '../distribution/host-key-store.js';
import { knownHostsFile } from '../distribution/known-hosts-file.js';
import { pinnedKeysFile } from '../distribution/pinned-keys-file.js';
import type { BindAddress } from '../serving/bind-address.js';
import type { CertSource } from '../serving/load-certs.js';
import { certFiles } from '../serving/served-certs.js';
import { createMetrics } from '../serving/metrics.js';
import { untilSignal } from '../serving/shutdown.js';
import { exitCodes } from './cli-error.js';
import type { Io } from './io.js';
import type { PolicyFlags } from './load-policy.js';
import { logStandaloneEvents } from './log-standalone-events.js';
import type { LogFlags } from './log-flags.js';
import { createLogger } from './logger.js';
import { readText } from './read-inputs.js';
import { runStandalone } from './run-standalone.js';
import { serveUntilStopped } from './serve-until-stopped.js';

export interface StandaloneFlags extends PolicyFlags, LogFlags {
  readonly manifests: string;
  readonly inventory: string;
  readonly pullSecret?: string;
  /** OpenSSH known_hosts file; without it, keys are pinned at first use in the state folder. */
  readonly knownHosts?: string;
  /** Folder for what is remembered across restarts. */
  readonly state?: string;
  readonly bind: BindAddress;
  readonly metricsBind: BindAddress;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly certsDir: string;
  readonly clientCa?: string;
  readonly concurrency: number;
  /** Seconds. */
  readonly drainTime: number;
}

/** `mirrorgate standalone`: gate and courier for a directory of manifests and an inventory, until a signal. */
export async function standalone(io: Io, flags: StandaloneFlags): Promise<number> {
  const log = createLogger(io, flags);
  const state = flags.state ?? join(dirname(flags.inventory), '.mirrorgate');
  const watch = untilSignal({ source: process, exit: (code) => process.exit(code) });
  try {
    const running = runStandalone({
      manifests: flags.manifests,
      inventory: flags.inventory,
      policy: flags.policy,
      profile: flags.profile,
      pullSecret: flags.pullSecret,
      admittedFile: join(state, 'admitted.json'),
      hostKeys: await hostKeyStore(flags.knownHosts, state),
      bind: flags.bind,
      metricsBind: flags.metricsBind,
      certs: certFiles(certSource(flags)),
      clientCa: flags.clientCa === undefined ? undefined : await readText(flags.clientCa),
      concurrency: flags.concurrency,
      metrics: createMetrics(),
      now: io.now,
      events: logStandaloneEvents(log),
    });
    await serveUntilStopped(running, {
      log,
      signals: watch,
      drainMs: flags.drainTime * 1000,
      // Files are read at once or not at all.
      abandon: () => undefined,
    });
    return exitCodes.ok;
  } finally {
    watch.release();
  }
}

async function hostKeyStore(knownHosts: string | undefined, state: string): Promise<HostKeyStore> {
  if (knownHosts === undefined) return pinnedKeysFile(join(state, 'known_hosts'));
  // Told at the start and not at each node.
  await readText(knownHosts);
  return knownHostsFile(knownHosts);
}

function certSource({ tlsCert, tlsKey, certsDir }: StandaloneFlags): CertSource {
  return tlsCert !== undefined && tlsKey !== undefined
    ? { certFile: tlsCert, keyFile: tlsKey }
    : { directory: certsDir };
}
