/** Puts the rooms together for files: sources, gate, controller, fleet, webhook and check service in one process. */
import { ownAdmission } from '../controller/admission-control.js';
import { Controller } from '../controller/controller.js';
import { Fleet } from '../distribution/fleet.js';
import type { HostKeyStore } from '../distribution/host-key-store.js';
import { openOverSftp } from '../distribution/open-node.js';
import { defaultPolicy } from '../policy/policy.js';
import type { Profile } from '../policy/profile.js';
import type { BindAddress } from '../serving/bind-address.js';
import { Health } from '../serving/health.js';
import type { ServedCerts } from '../serving/served-certs.js';
import type { Metrics } from '../serving/metrics.js';
import { admittedFile } from '../standalone/admitted-file.js';
import type { StandaloneEvents } from './log-standalone-events.js';
import { recordFleet, recordReconciliation } from './record-metrics.js';
import { serveGate } from './serve-gate.js';
import { startSources } from './standalone-sources.js';

export interface StandaloneOptions {
  readonly manifests: string;
  readonly inventory: string;
  readonly policy?: string | undefined;
  readonly profile?: Profile | undefined;
  readonly pullSecret?: string | undefined;
  /** Remembers the sets in force across restarts. */
  readonly admittedFile: string;
  readonly hostKeys: HostKeyStore;
  readonly bind: BindAddress;
  readonly metricsBind: BindAddress;
  readonly certs: ServedCerts;
  /** PEM text; clients of the webhook must then show a certificate of this authority. */
  readonly clientCa?: string | undefined;
  readonly concurrency: number;
  readonly quietMs?: number;
  readonly metrics: Metrics;
  readonly now: () => Date;
  readonly events: StandaloneEvents;
}

export interface RunningStandalone {
  readonly url: string;
  readonly metricsUrl: string;
  readonly fleet: Fleet;
  readonly controller: Controller;
  /** Stops in order: readiness first, then the server, the loop, and the sessions with nodes. */
  stop(options: { readonly drainMs: number }): Promise<void>;
}

/**
 * Starts everything; resolves when it serves and the first run of the controller has been handed to the fleet.
 *
 * @throws CliError or ServingError when something named on the command line cannot be used; nothing is left running
 */
export async function runStandalone(options: StandaloneOptions): Promise<RunningStandalone> {
  const { events, metrics } = options;
  const stops: (() => Promise<void>)[] = [];
  const stopAll = async () => {
    for (const stop of stops.reverse().splice(0)) await stop();
  };
  try {
    const health = new Health();
    const fleet = new Fleet({
      open: openOverSftp(options.hostKeys),
      concurrency: options.concurrency,
      observe: (event) => {
        events.onFleet(event);
        recordFleet(metrics, fleet.status(), event);
      },
    });
    stops.push(() => fleet.stop());

    const sources = await startSources({ ...options, health, stops });
    const policy = () => sources.policy.current() ?? defaultPolicy(options.profile);
    const controller = new Controller({
      mirrorSets: sources.directory,
      nodes: sources.inventory,
      policy: { current: policy, onChange: (listener) => sources.policy.onChange(listener) },
      pullSecret: sources.pullSecret,
      admission: ownAdmission(admittedFile(options.admittedFile)),
      courier: fleet,
      now: options.now,
      onReconciled: (result) => {
        recordReconciliation(metrics, result);
        events.onReconciled(result, sources.directory);
      },
      onFault: (error) => {
        metrics.internalFault();
        events.onInternalFault(error);
      },
      ...(options.quietMs !== undefined && { quietMs: options.quietMs }),
    });
    health.addReadiness('mirror sets', () =>
      controller.index() === undefined ? { ok: false, detail: 'not judged yet' } : { ok: true },
    );

    const serve = await serveGate({ ...options, health, live: controller, policy });
    stops.push(() => serve.stop(0));
    stops.push(() => controller.stop());
    await controller.start();

    return {
      url: serve.url,
      metricsUrl: serve.metricsUrl,
      fleet,
      controller,
      async stop({ drainMs }) {
        await serve.stop(drainMs);
        await stopAll();
      },
    };
  } catch (error) {
    await stopAll();
    throw error;
  }
}
