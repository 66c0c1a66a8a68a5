/** What the elected replica does for all: distribution, and telling the cluster how things stand. */
import { ClusterCourier } from '../cluster/cluster-courier.js';
import { clusterHostKeys } from '../cluster/cluster-host-keys.js';
import type { ClusterMirrorSets } from '../cluster/cluster-mirror-sets.js';
import type { ClusterNodes } from '../cluster/cluster-nodes.js';
import type { ClusterReflectors } from '../cluster/cluster-reflectors.js';
import { EventRecorder } from '../cluster/event-recorder.js';
import type { KubeClient } from '../cluster/kube-client.js';
import { LeaderElector } from '../cluster/leader-election.js';
import { NodeStatusWriter } from '../cluster/node-status-writer.js';
import { ReportWriter } from '../cluster/report-writer.js';
import { StandingEvents } from '../cluster/standing-events.js';
import type { ApiError } from '../cluster/api-error.js';
import type { Courier } from '../controller/controller.js';
import type { ExistingVerdict } from '../controller/judge-existing.js';
import { systemClock } from '../distribution/clock.js';
import { openOverSftp } from '../distribution/open-node.js';
import type { MirrorPolicy } from '../policy/policy.js';
import type { Metrics } from '../serving/metrics.js';
import type { ClusterEvents } from './log-cluster-events.js';
import { recordFleet } from './record-metrics.js';

export interface DistributionOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly identity: string;
  readonly reflectors: ClusterReflectors;
  readonly mirrorSets: ClusterMirrorSets;
  readonly nodes: ClusterNodes;
  readonly concurrency: number;
  readonly now: () => Date;
  readonly metrics: Metrics;
  readonly events: ClusterEvents;
  /** The Lease was won or lost. */
  readonly onLeaderChanged: () => void;
}

export interface Distribution {
  readonly courier: Courier;
  /** True while this process surely holds the Lease. */
  holds(): boolean;
  /** Takes the verdicts on all sets of the cluster, for Events and reports while this process leads. */
  judged(verdicts: readonly ExistingVerdict[], policy: MirrorPolicy): void;
  /** Runs for the Lease from now on. */
  start(): void;
  /** Ends what is under way at nodes, then gives the Lease up, then writes out what is left to tell. A second call joins
   * the first. */
  stop(): Promise<void>;
}

/** The name that the manifests give a Role for. */
const leaseName = 'mirrorgate';

export function clusterDistribution(options: DistributionOptions): Distribution {
  const { client, namespace, identity, reflectors, mirrorSets, nodes, now, metrics, events } = options;
  const writeFault = (what: string) => (fault: ApiError | undefined) => {
    if (fault !== undefined) metrics.clusterWriteFailed(what);
    events.onApi(`writing ${what}`, fault);
  };
  const holds = () => elector.holds();
  let judged: { readonly verdicts: readonly ExistingVerdict[]; readonly policy: MirrorPolicy } | undefined;

  const recorder = new EventRecorder({
    client,
    identity,
    clock: systemClock,
    random: Math.random,
    onDropped: events.onEventsDropped,
    onFault: writeFault('Events'),
  });
  const writer = new NodeStatusWriter({
    client,
    nodes: reflectors.nodes,
    now,
    clock: systemClock,
    onFault: writeFault('node conditions'),
  });
  const reports = new ReportWriter({
    client,
    openReports: reflectors.openReports,
    policyReports: reflectors.policyReports,
    objectOf: (set) => mirrorSets.objectOf(set),
    now,
    clock: systemClock,
    onFault: writeFault('reports'),
  });
  const standing = new StandingEvents({ recorder, objectOf: (set) => mirrorSets.objectOf(set) });
  const tell = () => {
    if (judged === undefined || !holds()) return;
    standing.tell(judged.verdicts);
    reports.set(judged.verdicts, judged.policy);
  };
  const courier = new ClusterCourier({
    open: openOverSftp(
      clusterHostKeys({
        client,
        nodes: reflectors.nodes,
        operatorPins: reflectors.operatorPins,
        pins: reflectors.hostKeyPins,
      }),
    ),
    concurrency: options.concurrency,
    holds,
    nodes: reflectors.nodes,
    problems: () => nodes.problems(),
    paused: () => nodes.paused(),
    writer,
    recorder,
    onFleet: (event, status) => {
      events.onFleet(event);
      recordFleet(metrics, status, event);
    },
  });
  const elector = new LeaderElector({
    client,
    lease: { namespace, name: leaseName },
    identity,
    onAcquired: () => {
      metrics.leading(true);
      events.onAcquired();
      void courier.lead();
      tell();
      options.onLeaderChanged();
    },
    onLost: (why) => {
      metrics.leading(false);
      metrics.nodes({});
      events.onLost(why);
      void courier.standDown();
      standing.forget();
      reports.clear();
      options.onLeaderChanged();
    },
    onLeader: events.onLeader,
    onFault: (fault) => {
      events.onApi(`Lease ${namespace}/${leaseName}`, fault);
    },
  });

  const unsubscribe = [
    nodes.onChange(() => {
      events.onNodeProblems(nodes.problems());
      courier.refresh();
    }),
    reflectors.nodes.onChange(() => {
      courier.refresh();
    }),
  ];
  const windDown = async () => {
    for (const end of unsubscribe) end();
    // While the Lease is still held: nobody else is at a node before this one has left it.
    await courier.standDown(grace);
    await elector.stop();
    await Promise.all([writer.stop(), recorder.stop(), reports.stop()]);
  };
  let stopped: Promise<void> | undefined;
  return {
    courier,
    holds,
    judged(verdicts, policy) {
      judged = { verdicts, policy };
      tell();
    },
    start() {
      elector.start();
    },
    stop() {
      stopped ??= windDown();
      return stopped;
    },
  };
}

/** How long sessions may take to finish the file they are at when mirrorgate stops, in ms. */
const grace = 8_000;
