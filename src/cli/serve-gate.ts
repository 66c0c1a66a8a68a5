import express from 'express';
import { admissionApp, type AdmissionObserver } from '../admission/admission-app.js';
import type { Controller } from '../controller/controller.js';
import type { MirrorPolicy } from '../policy/policy.js';
import type { BindAddress } from '../serving/bind-address.js';
import { requireClientCertificate } from '../serving/client-certificate.js';
import type { Health } from '../serving/health.js';
import { healthRouter } from '../serving/health-router.js';
import { startServer } from '../serving/http-server.js';
import { loadCerts, type CertSource } from '../serving/load-certs.js';
import type { Metrics } from '../serving/metrics.js';
import { metricsRouter } from '../serving/metrics-router.js';
import type { ServingError } from '../serving/serving-error.js';
import { watchCerts } from '../serving/tls-reload.js';
import { recordReview } from './record-metrics.js';

export interface GateOptions {
  readonly bind: BindAddress;
  readonly metricsBind: BindAddress;
  readonly certs: CertSource;
  /** PEM text; clients of the webhook must then show a certificate of this authority. */
  readonly clientCa?: string | undefined;
  readonly health: Health;
  readonly controller: Pick<Controller, 'index' | 'insecure'>;
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
  const { events, metrics, health, controller, policy, certs: source, clientCa } = options;
  const pair = await loadCerts(source);
  metrics.tlsExpires(pair.expires);

  const app = express();
  app.disable('x-powered-by');
  app.use(healthRouter(health));
  if (clientCa !== undefined) app.use('/validate', requireClientCertificate);
  app.use(
    admissionApp({
      policy,
      index: () => controller.index(),
      insecure: () => controller.insecure(),
      now: options.now,
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
  const server = await startServer({
    handler: app,
    bind: options.bind,
    tls: pair,
    clientCa,
    onError: events.onServing,
    onStopping: () => {
      health.beginStopping();
    },
  });
  const reload = watchCerts({
    source,
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
  });

  const metricsApp = express();
  metricsApp.disable('x-powered-by');
  metricsApp.use(healthRouter(health), metricsRouter(metrics));
  const metricsServer = await startServer({
    handler: metricsApp,
    bind: options.metricsBind,
    bindFlag: '--metrics-bind',
    onError: events.onServing,
  }).catch(async (error: unknown) => {
    await reload.stop();
    await server.stop({ drainMs: 0 });
    throw error;
  });

  return {
    url: server.url,
    metricsUrl: metricsServer.url,
    async stop(drainMs: number) {
      await server.stop({ drainMs });
      await Promise.all([reload.stop(), metricsServer.stop({ drainMs: 0 })]);
    },
  };
}
