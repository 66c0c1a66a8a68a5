import express from 'express';
import { register } from 'prom-client';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { metricsRouter } from '../../../src/serving/metrics-router.js';
import { createMetrics, type Metrics } from '../../../src/serving/metrics.js';

/** The samples of mirrorgate's own metrics, by name and labels. */
async function samples(metrics: Metrics): Promise<Record<string, number>> {
  const { text } = await metrics.expose();
  return Object.fromEntries(
    text
      .split('\n')
      .filter((line) => line.startsWith('mirrorgate_'))
      .map((line) => {
        const space = line.lastIndexOf(' ');
        return [line.slice(0, space), Number(line.slice(space + 1))] as const;
      }),
  );
}

describe('createMetrics', () => {
  it('counts admission requests by kind, operation and outcome, and their duration', async () => {
    const metrics = createMetrics();
    const labels = { kind: 'ImageTagMirrorSet', operation: 'CREATE', outcome: 'denied' } as const;
    metrics.admissionRequest(labels, 0.004);
    metrics.admissionRequest(labels, 0.2);
    expect(await samples(metrics)).toMatchObject({
      'mirrorgate_admission_requests_total{kind="ImageTagMirrorSet",operation="CREATE",outcome="denied"}': 2,
      'mirrorgate_admission_duration_seconds_bucket{le="0.005",outcome="denied"}': 1,
      'mirrorgate_admission_duration_seconds_count{outcome="denied"}': 2,
    });
  });

  it('counts findings, exemptions, faults, drift and files', async () => {
    const metrics = createMetrics();
    metrics.finding('windows-mirror-path', 'deny');
    metrics.finding('windows-mirror-path', 'deny', 3);
    metrics.exempted(2);
    metrics.internalFault();
    metrics.driftCorrected();
    metrics.files({ written: 5, removed: 1 });
    metrics.nodeSync('unreachable');
    expect(await samples(metrics)).toMatchObject({
      'mirrorgate_findings_total{rule="windows-mirror-path",action="deny"}': 4,
      mirrorgate_findings_exempted_total: 2,
      mirrorgate_internal_faults_total: 1,
      mirrorgate_node_drift_corrected_total: 1,
      mirrorgate_node_files_written_total: 5,
      mirrorgate_node_files_removed_total: 1,
      'mirrorgate_node_syncs_total{outcome="unreachable"}': 1,
      'mirrorgate_node_syncs_total{outcome="synced"}': 0,
    });
  });

  it('shows that the last good policy is in force until a good one is read', async () => {
    const metrics = createMetrics();
    metrics.policyRefused();
    expect(await samples(metrics)).toMatchObject({
      mirrorgate_policy_last_good: 1,
      'mirrorgate_policy_reloads_total{result="refused"}': 1,
      'mirrorgate_policy_reloads_total{result="applied"}': 0,
    });
    metrics.policyReloaded();
    expect(await samples(metrics)).toMatchObject({
      mirrorgate_policy_last_good: 0,
      'mirrorgate_policy_reloads_total{result="applied"}': 1,
    });
  });

  it('shows when the certificate in use expires, also after a refused one', async () => {
    const metrics = createMetrics();
    metrics.tlsReloaded();
    metrics.tlsExpires(new Date('2032-01-01T00:00:00Z'));
    metrics.tlsRefused();
    expect(await samples(metrics)).toMatchObject({
      mirrorgate_tls_certificate_expiry_timestamp_seconds: 1_956_528_000,
      'mirrorgate_tls_reloads_total{result="applied"}': 1,
      'mirrorgate_tls_reloads_total{result="refused"}': 1,
    });
  });

  it('sets the fleet as a whole: a state that nobody is in any more is zero', async () => {
    const metrics = createMetrics();
    metrics.nodes({ synced: 3, failed: 1 });
    metrics.nodes({ synced: 4 });
    metrics.mirrorSets({ admitted: 7, keptOut: 2 });
    expect(await samples(metrics)).toMatchObject({
      'mirrorgate_nodes{state="synced"}': 4,
      'mirrorgate_nodes{state="failed"}': 0,
      'mirrorgate_nodes{state="paused"}': 0,
      'mirrorgate_mirror_sets{verdict="admitted"}': 7,
      'mirrorgate_mirror_sets{verdict="kept-out"}': 2,
    });
  });

  it('shows one desired revision at a time', async () => {
    const metrics = createMetrics();
    metrics.desiredRevision('aaa');
    metrics.desiredRevision('bbb');
    const revisions = Object.entries(await samples(metrics)).filter(([name]) => name.includes('revision'));
    expect(revisions).toEqual([['mirrorgate_desired_revision_info{revision="bbb"}', 1]]);
  });

  it('keeps to a registry of its own', async () => {
    const [first, second] = [createMetrics(), createMetrics()];
    first.internalFault();
    expect(await samples(second)).toMatchObject({ mirrorgate_internal_faults_total: 0 });
    expect(register.getMetricsAsArray()).toEqual([]);
  });
});

describe('/metrics', () => {
  it('exposes mirrorgate’s metrics and those of the process', async () => {
    const app = express().use(metricsRouter(createMetrics()));
    const answer = await request(app)
      .get('/metrics')
      .expect(200)
      .expect('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
    expect(answer.text).toContain('# TYPE mirrorgate_admission_requests_total counter');
    expect(answer.text).toContain('process_cpu_seconds_total');
  });
});
