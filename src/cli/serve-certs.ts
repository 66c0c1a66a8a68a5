import { caBundle } from '../cluster/ca-bundle.js';
import { certSecret } from '../cluster/cert-secret.js';
import type { KubeClient } from '../cluster/kube-client.js';
import type { ObjectSource } from '../cluster/object-source.js';
import { systemClock } from '../distribution/clock.js';
import type { CertLives } from '../serving/cert-state.js';
import type { Health } from '../serving/health.js';
import { ManagedCerts, type ManagedCertsObserver } from '../serving/managed-certs.js';
import type { ServedCerts } from '../serving/served-certs.js';

/** Certificates that the replicas make, share in a Secret, and renew. */
export interface SelfManagedCerts {
  /** Name of the Secret, in mirrorgate's own namespace. */
  readonly secret: string;
  /** The ValidatingWebhookConfiguration whose `caBundle` is kept right. */
  readonly webhookConfiguration: string;
  /** Name of the Service through which the API server comes. */
  readonly service: string;
  readonly lives: CertLives;
}

export interface ManagedCertsSetup {
  readonly certs: SelfManagedCerts;
  readonly client: KubeClient;
  readonly namespace: string;
  readonly secret: ObjectSource;
  readonly webhookConfiguration: ObjectSource;
  /** Names and addresses beside those of the Service: where an API server reaches this process without one. */
  readonly hosts: readonly string[];
  readonly holds: () => boolean;
  readonly health: Health;
  readonly observer: ManagedCertsObserver;
  /** Ends the wait for a first certificate. */
  readonly signal: AbortSignal;
}

export interface ManagedServedCerts extends ServedCerts {
  start(): void;
  /** The Lease was won or lost. */
  leaderChanged(): void;
  stop(): Promise<void>;
}

/** How long API servers get to learn of a new authority; less where certificates live for minutes. */
const propagationMs = 60_000;

export function managedServedCerts(setup: ManagedCertsSetup): ManagedServedCerts {
  const { certs, client, namespace, health, signal } = setup;
  const { service, lives } = certs;
  const managed = new ManagedCerts({
    store: certSecret({ client, reflector: setup.secret, namespace, name: certs.secret }),
    target: caBundle({ client, reflector: setup.webhookConfiguration, name: certs.webhookConfiguration }),
    clock: systemClock,
    random: Math.random,
    isLeader: setup.holds,
    hosts: [
      `${service}.${namespace}.svc`,
      `${service}.${namespace}.svc.cluster.local`,
      `${service}.${namespace}`,
      service,
      ...setup.hosts,
    ],
    lives,
    propagationMs: Math.min(propagationMs, lives.leaf / 10),
    observer: setup.observer,
  });
  health.addReadiness('certificate', () => managed.readiness());
  return {
    start: () => {
      managed.start();
    },
    leaderChanged: () => void managed.check(),
    stop: () => managed.stop(),
    first: () => managed.firstPair(signal),
    follow({ current, apply, onReloaded }) {
      let served = current.cert;
      const end = managed.onPair((pair) => {
        if (pair.cert === served) return;
        apply(pair);
        served = pair.cert;
        onReloaded(pair);
      });
      return {
        stop: () => {
          end();
          return Promise.resolve();
        },
      };
    },
  };
}
