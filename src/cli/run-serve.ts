/** Puts the rooms together for a cluster: sources, gate, controller, and distribution by the elected replica. */
import { clusterMirrorSets } from '../cluster/cluster-mirror-sets.js';
import { clusterNodes } from '../cluster/cluster-nodes.js';
import { clusterReflectors } from '../cluster/cluster-reflectors.js';
import { clusterPullSecret } from '../cluster/cluster-secrets.js';
import type { KubeClient } from '../cluster/kube-client.js';
import { liveContext } from '../cluster/live-context.js';
import { apiServerAdmission } from '../controller/admission-control.js';
import { Controller } from '../controller/controller.js';
import type { PolicySource } from '../controller/sources.js';
import { rememberingKeyReader } from '../distribution/private-key.js';
import { defaultPolicy } from '../policy/policy.js';
import type { Profile } from '../policy/profile.js';
import type { BindAddress } from '../serving/bind-address.js';
import { Health } from '../serving/health.js';
import type { CertSource } from '../serving/load-certs.js';
import type { Metrics } from '../serving/metrics.js';
import { certFiles } from '../serving/served-certs.js';
import { addClusterReadiness } from './cluster-readiness.js';
import { followPolicy } from './follow-file.js';
import { judgeInBackground } from './judge-in-background.js';
import type { ClusterEvents } from './log-cluster-events.js';
import type { NamedObject } from './long-running-commands.js';
import { recordReconciliation, recordStanding } from './record-metrics.js';
import { managedServedCerts, type SelfManagedCerts } from './serve-certs.js';
import { clusterDistribution } from './serve-distribution.js';
import { serveGate } from './serve-gate.js';

export interface ServeOptions {
  readonly client: KubeClient;
  /** Where the Lease and mirrorgate's own Secrets are. */
  readonly namespace: string;
  /** Of this process alone. */
  readonly identity: string;
  readonly policy?: string | undefined;
  readonly profile?: Profile | undefined;
  readonly pullSecret?: NamedObject | undefined;
  readonly sshKey: NamedObject;
  readonly windowsInstances?: NamedObject | undefined;
  readonly operatorPins?: NamedObject | undefined;
  readonly certs: CertSource | SelfManagedCerts;
  readonly bind: BindAddress;
  readonly metricsBind: BindAddress;
  /** PEM text; clients of the webhook must then show a certificate of this authority. */
  readonly clientCa?: string | undefined;
  readonly concurrency: number;
  readonly metrics: Metrics;
  readonly now: () => Date;
  /** Ends a start that waits for the API server. */
  readonly signal: AbortSignal;
  readonly events: ClusterEvents;
}

export interface RunningServe {
  readonly url: string;
  readonly metricsUrl: string;
  /** Stops in order: readiness first; distribution ends and the Lease is released while the server drains. */
  stop(options: { readonly drainMs: number }): Promise<void>;
}

/** The name that the manifests give a Role for. */
const hostKeyPins = 'mirrorgate-host-keys';

/**
 * Starts everything; resolves when it serves. What of the cluster is not known by then is waited for: readiness tells.
 *
 * @throws CliError or ServingError when something named on the command line cannot be used; nothing is left running
 */
export async function runServe(options: ServeOptions): Promise<RunningServe> {
  const { client, namespace, events, metrics } = options;
  const onFault = (error: unknown) => {
    metrics.internalFault();
    events.onInternalFault(error);
  };
  const stops: (() => Promise<void>)[] = [];
  const stopAll = async () => {
    for (const stop of stops.reverse().splice(0)) await stop();
  };
  try {
    const health = new Health();
    const policies = await followPolicy({ ...options, health, stops });
    const policy = () => policies.current() ?? defaultPolicy(options.profile);
    const policySource: PolicySource = {
      current: policy,
      onChange: (listener) => policies.onChange(listener),
    };

    const reflectors = clusterReflectors(
      client,
      {
        sshKey: options.sshKey,
        hostKeyPins: { namespace, name: hostKeyPins },
        instances: options.windowsInstances,
        operatorPins: options.operatorPins,
        pullSecret: options.pullSecret,
        certificates:
          'secret' in options.certs
            ? {
                secret: { namespace, name: options.certs.secret },
                webhookConfiguration: options.certs.webhookConfiguration,
              }
            : undefined,
        reports: true,
      },
      { onFault: events.onApi },
    );
    stops.push(() => reflectors.stop());

    const mirrorSets = clusterMirrorSets({
      digestSets: reflectors.digestSets,
      tagSets: reflectors.tagSets,
      images: reflectors.images,
      onFaults: (faults) => {
        events.onObjectFaults('mirror sets', faults);
      },
    });
    const nodes = clusterNodes({ ...reflectors, readKey: rememberingKeyReader() });
    const live = liveContext(mirrorSets);

    let holds = () => false;
    const certs =
      'secret' in options.certs &&
      reflectors.tlsSecret !== undefined &&
      reflectors.webhookConfiguration !== undefined
        ? managedServedCerts({
            ...options,
            certs: options.certs,
            secret: reflectors.tlsSecret.objects,
            webhookConfiguration: reflectors.webhookConfiguration.objects,
            hosts:
              options.bind.host === undefined || isUnspecified(options.bind.host) ? [] : [options.bind.host],
            holds: () => holds(),
            health,
            observer: events.certs,
          })
        : undefined;
    if (certs !== undefined) stops.push(() => certs.stop());
    const distribution = clusterDistribution({
      ...options,
      reflectors,
      mirrorSets,
      nodes,
      onLeaderChanged: () => certs?.leaderChanged(),
    });
    holds = () => distribution.holds();
    stops.push(() => distribution.stop());

    const controller = new Controller({
      mirrorSets,
      nodes,
      policy: policySource,
      pullSecret:
        reflectors.pullSecret === undefined
          ? undefined
          : clusterPullSecret(reflectors.pullSecret, (faults) => {
              events.onObjectFaults('pull secret', faults);
            }),
      admission: apiServerAdmission,
      courier: distribution.courier,
      now: options.now,
      onReconciled: (result) => {
        recordReconciliation(metrics, result);
        events.onRendered(result);
      },
      onFault,
    });
    stops.push(() => controller.stop());
    addClusterReadiness(health, reflectors);
    reflectors.start();
    certs?.start();
    await controller.start();
    const endJudging = judgeInBackground({
      mirrorSets,
      policy: policySource,
      live,
      now: options.now,
      onJudged: (verdicts, { policy: judgedBy }) => {
        recordStanding(metrics, verdicts);
        events.onJudged(verdicts);
        distribution.judged(verdicts, judgedBy);
      },
      onFault,
    });
    stops.push(endJudging);
    distribution.start();

    const gate = await serveGate({
      ...options,
      certs: certs ?? certFiles(options.certs as CertSource),
      health,
      live,
      policy,
    });
    return {
      url: gate.url,
      metricsUrl: gate.metricsUrl,
      async stop({ drainMs }) {
        // Both at once: another replica may distribute while this one still answers.
        await Promise.all([gate.stop(drainMs), controller.stop().then(() => distribution.stop())]);
        await stopAll();
      },
    };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

/** Listening everywhere is no name that a client could call. */
function isUnspecified(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
