import type { AdmissionObserver } from '../admission/admission-app.js';
import type { Reconciliation } from '../controller/controller.js';
import type { ExistingVerdict } from '../controller/judge-existing.js';
import type { FleetEvent } from '../distribution/fleet-event.js';
import type { NodeStatus } from '../distribution/node-status.js';
import type { Metrics } from '../serving/metrics.js';

export function recordReview(metrics: Metrics, review: Parameters<AdmissionObserver['onReviewed']>[0]): void {
  const { kind, operation, outcome, findings, exempted, durationMs } = review;
  const warned = outcome === 'allowed' && findings.some(({ action }) => action === 'warn');
  metrics.admissionRequest({ kind, operation, outcome: warned ? 'warned' : outcome }, durationMs / 1000);
  for (const { rule, action } of findings) metrics.finding(rule, action);
  metrics.exempted(exempted.length);
}

export function recordReconciliation(metrics: Metrics, { admission, rendered }: Reconciliation): void {
  metrics.desiredRevision(rendered.desired.revision);
  metrics.mirrorSets({
    admitted: admission.admitted.length,
    keptOut: admission.verdicts.filter(({ judgement }) => !judgement.allowed).length,
  });
}

export function recordFleet(metrics: Metrics, nodes: readonly NodeStatus[], event: FleetEvent): void {
  const counts: Record<string, number> = {};
  for (const { state } of nodes) counts[state] = (counts[state] ?? 0) + 1;
  metrics.nodes(counts);
  if (event.type === 'synced') {
    metrics.nodeSync('synced');
    metrics.files({ written: event.result.written.length, removed: event.result.removed.length });
  } else if (event.type === 'failed') {
    metrics.nodeSync(event.error.class);
  }
}

/** What is wrong, by rule and action, with the sets that are in the cluster. */
export function recordStanding(metrics: Metrics, verdicts: readonly ExistingVerdict[]): void {
  const counts = new Map<string, { rule: string; action: string; count: number }>();
  for (const { rule, action } of verdicts.flatMap(({ judgement }) => judgement.findings)) {
    const key = `${rule} ${action}`;
    const { count } = counts.get(key) ?? { count: 0 };
    counts.set(key, { rule, action, count: count + 1 });
  }
  metrics.standingFindings([...counts.values()]);
}
