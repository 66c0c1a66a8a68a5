import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { postReview } from '../../src/sandbox/post-review.js';
import { idms } from '../unit/mirror-sets.js';
import {
  apply,
  conditionAt,
  digestSet,
  fault,
  news,
  patience,
  registriesAt,
  waitForNodes,
} from './cluster-steps.js';
import { startFaultyProxy, type FaultyProxy } from './faulty-proxy.js';
import { startInstalledCluster, type InstalledCluster } from './installed-cluster.js';
import type { LogLine, MirrorgateProcess } from './mirrorgate-process.js';

let cluster: InstalledCluster;
/** Between the second replica and the API server. */
let proxy: FaultyProxy;
let near: MirrorgateProcess;
let far: MirrorgateProcess;
/** Lines of the logs from before a test. */
let from: Map<MirrorgateProcess, number>;

beforeAll(async () => {
  cluster = await startInstalledCluster({ nodes: 2 });
  proxy = await startFaultyProxy({ port: cluster.site.apiPort });
  near = cluster.replicas[0]!;
  far = await cluster.startReplica({ server: `https://127.0.0.1:${proxy.port}` });
});
afterAll(async () => {
  await cluster.stop();
  await proxy.stop();
});
beforeEach(() => {
  from = new Map(cluster.replicas.map((replica) => [replica, replica.log().length]));
});

function logged(replica: MirrorgateProcess, match: (line: LogLine) => boolean): Promise<LogLine> {
  return replica.waitForLog(match, { from: from.get(replica)!, timeout: patience.timeout });
}

/** The line by which a replica tells that it knows of mirrors of exactly these registries. */
function knows(...registries: readonly string[]): (line: LogLine) => boolean {
  return (line) => JSON.stringify(line['registries']) === JSON.stringify(registries);
}

async function everyNodeHas(...registries: readonly string[]): Promise<void> {
  for (const node of cluster.nodes.nodes) expect(await registriesAt(node)).toEqual(registries);
}

const mirrorOf = (registry: string) => ({ [`${registry}/team/app`]: 'mirror.example.com/team/app' });

it('a watch that is cut goes on, and what happened meanwhile is known', async () => {
  await apply(cluster.site, digestSet('stays', mirrorOf('quay.io')));
  await apply(cluster.site, digestSet('goes', mirrorOf('ghcr.io')));
  await logged(far, knows('ghcr.io', 'quay.io'));
  proxy.refuse();
  const line = await logged(far, fault(/^imagedigestmirrorsets: /));
  expect(line.msg).toMatch(
    /^imagedigestmirrorsets: watch imagedigestmirrorsets: the connection was cut; check that the API server is up and can be reached from here; mirrorgate goes on trying$/,
  );
  await cluster.site.kubectl(['delete', 'idms', 'goes']);
  await apply(cluster.site, digestSet('new', mirrorOf('nvcr.io')));
  proxy.resume();
  await logged(far, news(/^imagedigestmirrorsets: works again$/));
  await logged(far, knows('nvcr.io', 'quay.io'));
  await waitForNodes(cluster);
  await everyNodeHas('nvcr.io', 'quay.io');
});

it('a watch from a version that is no longer kept lists everything, and nothing is lost', async () => {
  // Nobody tells this one of the changes, nor that the API server goes.
  proxy.stall();
  await cluster.site.kubectl(['delete', 'idms', 'new']);
  await apply(cluster.site, digestSet('newer', mirrorOf('docker.io')));
  await cluster.site.compactEtcd();
  await cluster.site.killApiServer();
  await cluster.site.startApiServer();
  proxy.resume();
  proxy.cut();
  const line = await logged(far, fault(/^imagedigestmirrorsets: .*no longer kept/));
  expect(line.msg).toMatch(
    /^imagedigestmirrorsets: watch imagedigestmirrorsets: too old resource version: \d+ \(\d+\); the version asked for is no longer kept by the API server; everything is listed again$/,
  );
  await logged(far, knows('docker.io', 'quay.io'));
  await logged(far, news(/^imagedigestmirrorsets: works again$/));
  await logged(near, knows('docker.io', 'quay.io'));
  await waitForNodes(cluster);
  await everyNodeHas('docker.io', 'quay.io');
});

it('rights in its own namespace that are taken away are named, and it goes on when they are back', async () => {
  const leader = await cluster.leader();
  const binding = ['-n=mirrorgate', 'rolebinding', 'mirrorgate'];
  const { stdout } = await cluster.site.kubectl(['get', ...binding, '-o=json']);
  await cluster.site.kubectl(['delete', ...binding]);
  const line = await logged(leader, fault(/^Lease mirrorgate\/mirrorgate: /));
  expect(line.msg).toMatch(
    /^Lease mirrorgate\/mirrorgate: update Lease mirrorgate\/mirrorgate: leases\.coordination\.k8s\.io "mirrorgate" is forbidden: User "system:serviceaccount:mirrorgate:mirrorgate" cannot update resource "leases" .*; a Role or ClusterRole is missing: compare with manifests\/base\/rbac\.yaml$/,
  );
  await logged(leader, fault(/^this replica no longer distributes: .* could not be renewed within 10 s: /));
  await apply(cluster.site, digestSet('while-forbidden', mirrorOf('gcr.io')));
  await logged(leader, knows('docker.io', 'gcr.io', 'quay.io'));
  await everyNodeHas('docker.io', 'quay.io');

  await apply(cluster.site, withoutServerFields(stdout));
  await logged(leader, news(/^Lease mirrorgate\/mirrorgate: works again$/));
  await waitForNodes(cluster);
  await everyNodeHas('docker.io', 'gcr.io', 'quay.io');
});

it('rights on Nodes that are taken away are named; nodes are still brought to what is wanted', async () => {
  const leader = await cluster.leader();
  const binding = ['clusterrolebinding', 'mirrorgate'];
  const { stdout } = await cluster.site.kubectl(['get', ...binding, '-o=json']);
  await cluster.site.kubectl(['delete', ...binding]);
  await apply(cluster.site, digestSet('while-untold', mirrorOf('registry.k8s.io')));
  const line = await logged(leader, fault(/^writing node conditions: /));
  expect(line.msg).toMatch(
    /^writing node conditions: patch Node win-\d: nodes "win-\d" is forbidden: User ".*" cannot patch resource "nodes\/status" .*; a Role or ClusterRole is missing: compare with manifests\/base\/rbac\.yaml$/,
  );
  await vi.waitFor(() => everyNodeHas('docker.io', 'gcr.io', 'quay.io', 'registry.k8s.io'), patience);

  await apply(cluster.site, withoutServerFields(stdout));
  await logged(leader, news(/^writing node conditions: works again$/));
  await waitForNodes(cluster);
});

it('without an API server sets are judged and nodes are left alone; it goes on when it is back', async () => {
  for (const name of ['while-forbidden', 'while-untold'])
    await cluster.site.kubectl(['delete', 'idms', name]);
  await waitForNodes(cluster);
  const { stdout: ca } = await cluster.site.kubectl([
    '-n=mirrorgate',
    'get',
    'secret',
    'mirrorgate-tls',
    '-o=jsonpath={.data.ca\\.crt}',
  ]);
  const leader = await cluster.leader();
  const [here, away] = [cluster.nodes.nodes[0]!, cluster.nodes.nodes[1]!];
  await away.stopSshd();
  await apply(cluster.site, digestSet('before', mirrorOf('ghcr.io')));
  await logged(leader, fault(/^win-2: .* refused the connection/));
  await vi.waitFor(async () => {
    expect(await registriesAt(here)).toEqual(['docker.io', 'ghcr.io', 'quay.io']);
    expect((await conditionAt(cluster.site, 'win-1'))?.status).toBe('True');
  }, patience);

  const stopped = Date.now();
  await cluster.site.stopApiServer();
  const refused = await logged(leader, fault(/^Lease mirrorgate\/mirrorgate: /));
  expect(refused.msg).toMatch(
    /: the connection was (refused|cut); check that the API server is up and can be reached from here; mirrorgate goes on trying$/,
  );
  const lost = await logged(leader, fault(/^this replica no longer distributes: /));
  expect(lost.msg).toMatch(
    /^this replica no longer distributes: Lease mirrorgate\/mirrorgate could not be renewed within 10 s: .*: the connection was refused$/,
  );
  // It would be tried now, if anybody distributed.
  const visited = away.server.log().length;
  await away.startSshd();
  for (const replica of cluster.replicas) await judges(replica, Buffer.from(ca, 'base64').toString());
  await sleep(Math.max(0, nextTryAt(leader, 'win-2') + 3_000 - Date.now()));
  expect(away.server.log().slice(visited)).not.toContain('Connection from');
  expect(await registriesAt(away)).toEqual(['docker.io', 'quay.io']);

  // Long enough for every wait between two tries to have grown to its longest.
  await sleep(Math.max(0, stopped + 60_000 - Date.now()));
  await cluster.site.startApiServer();
  await vi.waitFor(() => apply(cluster.site, digestSet('after', mirrorOf('nvcr.io'))), patience);
  await Promise.all(
    cluster.replicas.flatMap((replica) => [
      logged(replica, news(/^Lease mirrorgate\/mirrorgate: works again$/)),
      logged(replica, news(/^imagedigestmirrorsets: works again$/)),
      logged(replica, knows('docker.io', 'ghcr.io', 'nvcr.io', 'quay.io')),
    ]),
  );
  await Promise.any(
    cluster.replicas.map((replica) =>
      logged(replica, news(/^this replica holds the Lease and distributes$/)),
    ),
  );
  await vi.waitFor(() => everyNodeHas('docker.io', 'ghcr.io', 'nvcr.io', 'quay.io'), patience);
  await waitForNodes(cluster);
});

/** When a node that has failed is tried again, by the last line about it; in ms since 1970. */
function nextTryAt(replica: MirrorgateProcess, node: string): number {
  const last = replica.log().findLast((line) => line['node'] === node && line['retryInMs'] !== undefined);
  return Number(last?.time) + Number(last?.['retryInMs']);
}

/** Asks a replica's webhook and check service themselves. */
async function judges(replica: MirrorgateProcess, ca: string): Promise<void> {
  const denied = await postReview(replica.url, ca, idms('bad', [['quay.io/a/b', ['mirror.example.com/c']]]));
  expect(denied).toMatchObject({ allowed: false, status: { reason: 'Forbidden' } });
  const admitted = await postReview(
    replica.url,
    ca,
    idms('good', [['quay.io/a/b', ['mirror.example.com/a/b']]]),
  );
  expect(admitted.allowed).toBe(true);
  expect(await check(replica.url, ca, digestSet('bad', { 'quay.io/a/b': 'mirror.example.com/c' }))).toContain(
    'windows-mirror-path',
  );
}

async function check(url: string, ca: string, manifest: string): Promise<string> {
  const agent = new Agent({ ca });
  try {
    return await new Promise((resolve, reject) => {
      request(
        `${url}/check`,
        { agent, method: 'POST', headers: { 'content-type': 'application/json' } },
        (answer) => {
          text(answer).then(resolve, reject);
        },
      )
        .on('error', reject)
        .end(manifest);
    });
  } finally {
    agent.destroy();
  }
}

/** An object that was read, as it may be made again. */
function withoutServerFields(object: string): string {
  const { metadata, ...rest } = JSON.parse(object) as { metadata: { name: string; namespace?: string } };
  const { name, namespace } = metadata;
  return JSON.stringify({ ...rest, metadata: { name, namespace } });
}
