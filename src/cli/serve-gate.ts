import express, { type Express } from 'express';
import { admissionApp, type AdmissionObserver } from '../admission/admission-app.js';
import type { InsecureRegistries } from '../mirrors/insecure-registries.js';
import type { MirrorSetIndex } from '../mirrors/mirror-set-index.js';
import type { MirrorPolicy } from '../policy/policy.js';
import type { BindAddress } from '../serving/bind-address.js';
import { requireClientCertificate } from '../serving/client-certificate.js';
import type { Health } from '../serving/health.js';
import { healthRouter } from '../serving/health-router.js';
import { startServer } from '../serving/http-server.js';
import type { Metrics } from '../serving/metrics.js';
import { metricsRouter } from '../serving/metrics-router.js';
import type { ServingError } from '../serving/serving-error.js';
import type { ServedCerts } from '../serving/served-certs.js';
import { recordReview } from './record-metrics.js';

export interface GateOptions {
  readonly bind: BindAddress;
  readonly metricsBind: BindAddress;
  readonly certs: ServedCerts;
  /** PEM text; clients of the webhook must then show a certificate of this authority. */
  readonly clientCa?: string | undefined;
  readonly health: Health;
  /** What mirror sets are judged against. */
  readonly live: {
    index(): MirrorSetIndex | undefined;
    insecure(): InsecureRegistries;
  };
  readonly policy: () => MirrorPolicy;
  readonly now: () => Date;
  readonly metrics: Metrics;
  readonly events: AdmissionObserver & {
    readonly onServing: (fault: ServingError) => void;
    readonly onCertsReloaded: (expires: Date) => void;
  };
}

export interface RunningGate {
  readonly url: string;
  readonly metricsUrl: string;
  /** Readiness fails first; then the servers go on answering for the drain time, and stop. */
  stop(drainMs: number): Promise<void>;
}

/**
 * Starts the HTTPS server of the webhook and the check service, and the plain one of metrics and health.
 *
 * @throws ServingError when a certificate cannot be used or an address is taken; nothing is left running
 */
export async function serveGate(options: GateOptions): Promise<RunningGate> {
  const { events, metrics, health, certs } = options;
  const metricsApp = express();
  metricsApp.disable('x-powered-by');
  metricsApp.use(healthRouter(health), metricsRouter(metrics));
  // First, so that probes and scrapers are answered while a certificate is waited for.
  const metricsServer = await startServer({
    handler: metricsApp,
    bind: options.metricsBind,
    bindFlag: '--metrics-bind',
    onError: events.onServing,
  });
  try {
    const pair = await certs.first();
    metrics.tlsExpires(pair.expires);
    const server = await startServer({
      handler: gateApp(options),
      bind: options.bind,
      tls: pair,
      clientCa: options.clientCa,
      onError: events.onServing,
      onStopping: () => {
        health.beginStopping();
      },
    });
    const following = certs.follow({
      current: pair,
      apply: (next) => {
        server.setSecureContext(next);
      },
      onReloaded: ({ expires }) => {
        metrics.tlsReloaded();
        metrics.tlsExpires(expires);
        events.onCertsReloaded(expires);
      },
      onFault: (fault) => {
        metrics.tlsRefused();
        events.onServing(fault);
      },
      onExpired: events.onServing,
    });
    return {
      url: server.url,
      metricsUrl: metricsServer.url,
      async stop(drainMs: number) {
        await server.stop({ drainMs });
        await Promise.all([following.stop(), metricsServer.stop({ drainMs: 0 })]);
      },
    };
  } catch (error) {
    await metricsServer.stop({ drainMs: 0 });
    throw error;
  }
}

/** Health, webhook and check service as one application. */
function gateApp({ events, metrics, health, live, policy, clientCa, now }: GateOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.use(healthRouter(health));
  if (clientCa !== undefined) app.use('/validate', requireClientCertificate);
  app.use(
    admissionApp({
      policy,
      index: () => live.index(),
      insecure: () => live.insecure(),
      now,
      observer: {
        onReviewed: (review) => {
          recordReview(metrics, review);
          events.onReviewed(review);
        },
        onRefused: (code, message) => {
          metrics.admissionRequest({ kind: 'other', operation: 'other', outcome: 'refused' }, 0);
          events.onRefused(code, message);
        },
        onInternalFault: (error) => {
          metrics.internalFault();
          events.onInternalFault(error);
        },
      },
    }),
  );
  return app;
}
