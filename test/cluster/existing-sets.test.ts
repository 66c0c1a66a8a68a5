import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startInstalledCluster, type InstalledCluster } from './installed-cluster.js';

let cluster: InstalledCluster;

beforeAll(async () => {
  cluster = await startInstalledCluster({
    nodes: 1,
    replicas: 2,
    prepare: async (site) => {
      await site.installCrds('openreports');
      // Nobody answers the webhook yet, and failurePolicy is Ignore: everything gets in.
      await site.kubectl(['create', '-f', 'manifests/examples/ubi9repo.yaml']);
      await site.kubectl(['create', '-f', 'manifests/examples/clean.yaml']);
    },
  });
});
afterAll(async () => {
  await cluster.stop();
});

const patience = { timeout: 60_000, interval: 250 };

async function report(name: string) {
  const { stdout } = await cluster.site.kubectl(['get', 'clusterreport', name, '-o=json']);
  return JSON.parse(stdout) as {
    metadata: { ownerReferences: { kind: string; name: string }[] };
    summary: Record<string, number>;
    results: { rule: string; result: string }[];
  };
}

async function metric(pattern: RegExp): Promise<string | undefined> {
  const leader = await cluster.leader();
  const text = await (await fetch(`${leader.metricsUrl}/metrics`)).text();
  return pattern.exec(text)?.[1];
}

describe('sets that were there before the gate', () => {
  it('are judged: a report for each, an Event at those that would be denied, a metric and a line in the log', async () => {
    await vi.waitFor(async () => {
      expect(await report('idms-ubi9repo')).toMatchObject({
        summary: { fail: 2 },
        metadata: { ownerReferences: [{ kind: 'ImageDigestMirrorSet', name: 'ubi9repo' }] },
      });
      expect((await report('idms-clean')).summary).toMatchObject({ fail: 0, pass: 1 });
    }, patience);
    await vi.waitFor(async () => {
      const { stdout } = await cluster.site.kubectl(['describe', 'idms', 'ubi9repo']);
      expect(stdout).toMatch(
        /Warning\s+PolicyViolation\s.*windows-mirror-path at spec\.imageDigestMirrors\[0\]/,
      );
    }, patience);
    expect(
      await metric(/^mirrorgate_standing_findings\{rule="windows-mirror-path",action="deny"\} (\d+)$/m),
    ).toBe('2');
    await (
      await cluster.leader()
    ).waitForLog(/"ubi9repo" is in the cluster: deny windows-mirror-path at .*use the mirror/);
  });

  it('are brought to the nodes all the same, as they are in force on Linux', async () => {
    await cluster.site.kubectl([
      'wait',
      '--for=condition=MirrorConfigSynced',
      'node',
      '--all',
      '--timeout=60s',
    ]);
    const [node] = cluster.nodes.nodes;
    expect([...(await node!.files()).keys()].sort()).toEqual([
      'ghcr.io/hosts.toml',
      'quay.io/hosts.toml',
      'registry.access.redhat.com/hosts.toml',
      'registry.redhat.io/hosts.toml',
    ]);
  });

  it('are judged anew when the policy changes', async () => {
    const policy = readFileSync(cluster.policyFile, 'utf8');
    writeFileSync(cluster.policyFile, policy.replace(/profile: \w+/, 'profile: audit'));
    await vi.waitFor(async () => {
      const { summary, results } = await report('idms-ubi9repo');
      expect(summary['fail']).toBe(0);
      expect(results.filter(({ rule }) => rule === 'windows-mirror-path')).toEqual(
        Array(2).fill(expect.objectContaining({ result: 'warn' })),
      );
    }, patience);
    expect(
      await metric(/^mirrorgate_standing_findings\{rule="windows-mirror-path",action="audit"\} (\d+)$/m),
    ).toBe('2');

    writeFileSync(cluster.policyFile, policy);
    await vi.waitFor(async () => {
      expect((await report('idms-ubi9repo')).summary['fail']).toBe(2);
    }, patience);
  });

  it('can be mended, and are then said to break no rule any more', async () => {
    await cluster.site.kubectl(['apply', '-f', '-'], {
      input: readFileSync('manifests/examples/ubi9repo.yaml', 'utf8')
        .replace('example.io/example/ubi-minimal', 'example.io/example/ubi9/ubi-minimal')
        .replace('example.com/example2/ubi-minimal', 'example.com/example2/ubi9/ubi-minimal'),
    });
    await vi.waitFor(async () => {
      expect((await report('idms-ubi9repo')).summary['fail']).toBe(0);
      const { stdout } = await cluster.site.kubectl(['describe', 'idms', 'ubi9repo']);
      expect(stdout).toMatch(/Normal\s+PolicyKept/);
    }, patience);
  });

  it('lose their report when they are deleted', async () => {
    await cluster.site.kubectl(['delete', 'idms', 'clean']);
    await vi.waitFor(async () => {
      const { stdout } = await cluster.site.kubectl(['get', 'clusterreports', '-o=name']);
      expect(stdout.trim()).toBe('clusterreport.openreports.io/idms-ubi9repo');
    }, patience);
  });
});
