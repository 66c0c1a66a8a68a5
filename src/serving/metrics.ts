import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** How an admission request ended; `refused` is one that was not understood, `fault` one that mirrorgate failed. */
export const admissionOutcomes = ['allowed', 'warned', 'denied', 'refused', 'fault'] as const;
export type AdmissionOutcome = (typeof admissionOutcomes)[number];

export const nodeStates = ['synced', 'pending', 'syncing', 'failed', 'drifted', 'paused'] as const;
export type NodeState = (typeof nodeStates)[number];

export interface AdmissionRequestLabels {
  /** A kind that mirrorgate knows, or `other`: never a text that a client chose. */
  readonly kind: string;
  /** `CREATE`, `UPDATE`, `DELETE`, or `other`. */
  readonly operation: string;
  readonly outcome: AdmissionOutcome;
}

/**
 * What mirrorgate counts. Every recorder is a function of its own, so that it can be handed to the part that knows as
 * a plain callback.
 */
export interface Metrics {
  readonly admissionRequest: (labels: AdmissionRequestLabels, seconds: number) => void;
  readonly finding: (rule: string, action: string, count?: number) => void;
  readonly exempted: (count: number) => void;
  /** Something failed that should not have: a fault in mirrorgate. */
  readonly internalFault: () => void;
  readonly policyReloaded: () => void;
  /** The policy file is broken; the last good policy stays in force until `policyReloaded`. */
  readonly policyRefused: () => void;
  /** The end of the certificate in use, at the start and after each reload. */
  readonly tlsExpires: (expires: Date) => void;
  readonly tlsReloaded: () => void;
  /** The certificate files are broken; the pair in use stays. */
  readonly tlsRefused: () => void;
  /** The whole fleet at once: states that are left out have no nodes. */
  readonly nodes: (countByState: Readonly<Partial<Record<NodeState, number>>>) => void;
  /** One node's run ended: `synced`, or the class of its error. */
  readonly nodeSync: (outcome: string) => void;
  readonly driftCorrected: () => void;
  readonly files: (changes: { readonly written: number; readonly removed: number }) => void;
  readonly desiredRevision: (revision: string) => void;
  readonly mirrorSets: (counts: { readonly admitted: number; readonly keptOut: number }) => void;
  /** The findings of all sets that are in the cluster, as they stand; pairs that are left out have none. */
  readonly standingFindings: (
    counts: readonly { readonly rule: string; readonly action: string; readonly count: number }[],
  ) => void;
  /** Whether this process distributes. */
  readonly leading: (leads: boolean) => void;
  /** Events, reports and conditions that could not be written, by what they are. */
  readonly clusterWriteFailed: (what: string) => void;
  /** The registry as text in the Prometheus exposition format. */
  readonly expose: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

/** Creates the metrics on a registry of their own, with the process's default metrics beside them. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const requests = new Counter({
    name: 'mirrorgate_admission_requests_total',
    help: 'Admission requests by kind, operation and outcome.',
    labelNames: ['kind', 'operation', 'outcome'],
    registers,
  });
  const durations = new Histogram({
    name: 'mirrorgate_admission_duration_seconds',
    help: 'Time from an admission request to its answer.',
    labelNames: ['outcome'],
    // From a cached review to the 30 s after which no API server waits.
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30],
    registers,
  });
  const findings = new Counter({
    name: 'mirrorgate_findings_total',
    help: 'Findings in admission requests by rule and action.',
    labelNames: ['rule', 'action'],
    registers,
  });
  const exempted = new Counter({
    name: 'mirrorgate_findings_exempted_total',
    help: 'Findings that an exemption let through.',
    registers,
  });
  const faults = new Counter({
    name: 'mirrorgate_internal_faults_total',
    help: 'Faults in mirrorgate itself; an admission request that meets one is answered with HTTP 500.',
    registers,
  });
  const policyReloads = new Counter({
    name: 'mirrorgate_policy_reloads_total',
    help: 'Reads of a changed policy file by result.',
    labelNames: ['result'],
    registers,
  });
  const lastGood = new Gauge({
    name: 'mirrorgate_policy_last_good',
    help: '1 while the policy file is broken and the last good policy is in force, else 0.',
    registers,
  });
  const tlsReloads = new Counter({
    name: 'mirrorgate_tls_reloads_total',
    help: 'Reads of changed certificate files by result.',
    labelNames: ['result'],
    registers,
  });
  const tlsExpiry = new Gauge({
    name: 'mirrorgate_tls_certificate_expiry_timestamp_seconds',
    help: 'When the server certificate in use expires, in seconds since 1970.',
    registers,
  });
  const nodes = new Gauge({
    name: 'mirrorgate_nodes',
    help: 'Windows nodes by state.',
    labelNames: ['state'],
    registers,
  });
  const syncs = new Counter({
    name: 'mirrorgate_node_syncs_total',
    help: 'Ended runs of single nodes: synced, or the class of the error.',
    labelNames: ['outcome'],
    registers,
  });
  const drift = new Counter({
    name: 'mirrorgate_node_drift_corrected_total',
    help: 'Runs that found a synced node changed by someone else and set it right.',
    registers,
  });
  const written = new Counter({
    name: 'mirrorgate_node_files_written_total',
    help: 'hosts.toml files written to nodes.',
    registers,
  });
  const removed = new Counter({
    name: 'mirrorgate_node_files_removed_total',
    help: 'Stale hosts.toml files removed from nodes.',
    registers,
  });
  const revisions = new Gauge({
    name: 'mirrorgate_desired_revision_info',
    help: 'Always 1; the label tells the revision that every node should hold.',
    labelNames: ['revision'],
    registers,
  });
  const mirrorSets = new Gauge({
    name: 'mirrorgate_mirror_sets',
    help: 'Mirror sets in the cluster that are rendered for nodes (admitted) or are not (kept-out).',
    labelNames: ['verdict'],
    registers,
  });

  const standing = new Gauge({
    name: 'mirrorgate_standing_findings',
    help: 'Findings of the mirror sets that are in the cluster, as they stand now, by rule and action.',
    labelNames: ['rule', 'action'],
    registers,
  });
  const leader = new Gauge({
    name: 'mirrorgate_leader',
    help: '1 while this replica holds the Lease and distributes, else 0.',
    registers,
  });
  const writeFailures = new Counter({
    name: 'mirrorgate_cluster_write_failures_total',
    help: 'Events, reports and node conditions that could not be written, by what they are.',
    labelNames: ['what'],
    registers,
  });

  // A rate needs a first value: series that are sure to come start at zero.
  for (const result of ['applied', 'refused']) {
    policyReloads.inc({ result }, 0);
    tlsReloads.inc({ result }, 0);
  }
  for (const state of nodeStates) nodes.set({ state }, 0);
  syncs.inc({ outcome: 'synced' }, 0);

  return {
    admissionRequest({ kind, operation, outcome }, seconds) {
      requests.inc({ kind, operation, outcome });
      durations.observe({ outcome }, seconds);
    },
    finding(rule, action, count = 1) {
      findings.inc({ rule, action }, count);
    },
    exempted(count) {
      exempted.inc(count);
    },
    internalFault() {
      faults.inc();
    },
    policyReloaded() {
      policyReloads.inc({ result: 'applied' });
      lastGood.set(0);
    },
    policyRefused() {
      policyReloads.inc({ result: 'refused' });
      lastGood.set(1);
    },
    tlsExpires(expires) {
      tlsExpiry.set(expires.getTime() / 1000);
    },
    tlsReloaded() {
      tlsReloads.inc({ result: 'applied' });
    },
    tlsRefused() {
      tlsReloads.inc({ result: 'refused' });
    },
    nodes(countByState) {
      for (const state of nodeStates) nodes.set({ state }, countByState[state] ?? 0);
    },
    nodeSync(outcome) {
      syncs.inc({ outcome });
    },
    driftCorrected() {
      drift.inc();
    },
    files(changes) {
      written.inc(changes.written);
      removed.inc(changes.removed);
    },
    desiredRevision(revision) {
      // One revision at a time is wanted: the last one's series goes.
      revisions.reset();
      revisions.set({ revision }, 1);
    },
    mirrorSets({ admitted, keptOut }) {
      mirrorSets.set({ verdict: 'admitted' }, admitted);
      mirrorSets.set({ verdict: 'kept-out' }, keptOut);
    },
    standingFindings(counts) {
      standing.reset();
      for (const { rule, action, count } of counts) standing.set({ rule, action }, count);
    },
    leading(leads) {
      leader.set(leads ? 1 : 0);
    },
    clusterWriteFailed(what) {
      writeFailures.inc({ what });
    },
    async expose() {
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}
