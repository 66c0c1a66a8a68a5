import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startInstalledCluster, type InstalledCluster } from './installed-cluster.js';
import type { SshNode } from './ssh-nodes.js';

let cluster: InstalledCluster;

beforeAll(async () => {
  cluster = await startInstalledCluster({ nodes: 3 });
});
afterAll(async () => {
  await cluster.stop();
});

const patience = { timeout: 60_000, interval: 100 };

/** An IDMS of one entry, with as many mirrors as are given. */
function digestSet(name: string, source: string, ...mirrors: readonly string[]): string {
  return JSON.stringify({
    apiVersion: 'config.openshift.io/v1',
    kind: 'ImageDigestMirrorSet',
    metadata: { name },
    spec: { imageDigestMirrors: [{ source, mirrors }] },
  });
}

function apply(manifest: string) {
  return cluster.site.kubectl(['apply', '-f', '-'], { input: manifest });
}

/** What README tells people to run after a change. */
function waitForNodes() {
  return cluster.site.kubectl([
    'wait',
    '--for=condition=MirrorConfigSynced',
    'node',
    '-l',
    'kubernetes.io/os=windows',
    '--timeout=60s',
  ]);
}

/** The URLs of a node's mirrors of a registry, in order. */
async function mirrorsAt(node: SshNode, registry: string): Promise<readonly string[] | undefined> {
  const file = (await node.files()).get(`${registry}/hosts.toml`);
  return file === undefined ? undefined : [...file.matchAll(/^\[host\."(.*)"\]$/gm)].map(([, url]) => url!);
}

async function everyNode<T>(look: (node: SshNode) => Promise<T>): Promise<T[]> {
  return Promise.all(cluster.nodes.nodes.map(look));
}

async function nodeObject(name: string) {
  const { stdout } = await cluster.site.kubectl(['get', 'node', name, '-o', 'json']);
  return JSON.parse(stdout) as {
    metadata: { annotations?: Record<string, string>; resourceVersion: string };
    status: { conditions?: { type: string; status: string; reason: string; message: string }[] };
  };
}

describe('from kubectl create to the nodes', () => {
  it('a set that is admitted is on every node when kubectl wait returns', async () => {
    await cluster.site.kubectl(['create', '-f', 'manifests/examples/clean.yaml']);
    await waitForNodes();
    expect(await everyNode((node) => mirrorsAt(node, 'quay.io'))).toEqual(
      Array(3).fill(['https://mirror.example.com/v2/quay', 'https://backup.example.com/v2']),
    );
    const revisions = await everyNode(async ({ name }) => (await nodeObject(name)).metadata.annotations);
    expect(revisions[0]?.['mirrorgate.dev/revision']).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(revisions.map((one) => one?.['mirrorgate.dev/revision'])).size).toBe(1);
  });

  it('kubectl wait right after a change never returns while the old files are there', async () => {
    for (let round = 1; round <= 10; round += 1) {
      await apply(digestSet('changing', 'ghcr.io/team/app', `mirror.example.com/round-${round}/team/app`));
      await waitForNodes();
      expect(await everyNode((node) => mirrorsAt(node, 'ghcr.io'))).toEqual(
        Array(3).fill(
          expect.arrayContaining([`https://mirror.example.com/v2/round-${round}`]) as unknown as string[],
        ),
      );
    }
  });

  it('a set that is deleted is gone from every node', async () => {
    await cluster.site.kubectl(['delete', 'idms', 'changing']);
    await waitForNodes();
    expect(await everyNode((node) => mirrorsAt(node, 'ghcr.io'))).toEqual(
      Array(3).fill(['https://mirror.example.com/v2/ghcr']),
    );
  });

  it('a set that is denied reaches no node', async () => {
    const { stderr } = await cluster.site.kubectl(['create', '-f', 'manifests/examples/ubi9repo.yaml'], {
      expectFailure: true,
    });
    expect(stderr).toContain('windows-mirror-path at spec.imageDigestMirrors[0].mirrors[0]');
    await waitForNodes();
    expect(await everyNode((node) => mirrorsAt(node, 'registry.access.redhat.com'))).toEqual(
      Array(3).fill(undefined),
    );
  });

  it('a node that joins is brought to what all hold', async () => {
    const node = await cluster.nodes.add('win-new');
    await vi.waitFor(async () => {
      expect(await mirrorsAt(node, 'quay.io')).toHaveLength(2);
    }, patience);
    await waitForNodes();
    expect((await nodeObject('win-new')).status.conditions).toContainEqual(
      expect.objectContaining({ type: 'MirrorConfigSynced', status: 'True', reason: 'Synced' }),
    );
  });

  it('a node that is removed is left alone from then on', async () => {
    const node = cluster.nodes.nodes.at(-1)!;
    await cluster.site.kubectl(['delete', 'node', node.name]);
    const from = cluster.replicas[0]!.log().length;
    await apply(digestSet('later', 'nvcr.io/nvidia', 'mirror.example.com/nvidia'));
    await waitForNodes();
    expect(await mirrorsAt(node, 'nvcr.io')).toBeUndefined();
    const touched = cluster.replicas[0]!.log()
      .slice(from)
      .filter((line) => line['node'] === node.name);
    expect(touched).toEqual([]);
  });

  it('a rotated pull secret reaches every node, and shows nowhere else', async () => {
    const secretOf = (password: string) =>
      JSON.stringify({ auths: { 'mirror.example.com': { username: 'puller', password } } });
    const put = async (password: string) => {
      const { stdout } = await cluster.site.kubectl([
        '-n=mirrorgate',
        'create',
        'secret',
        'generic',
        'pull-secret',
        '--type=kubernetes.io/dockerconfigjson',
        `--from-literal=.dockerconfigjson=${secretOf(password)}`,
        '--dry-run=client',
        '-o=json',
      ]);
      await apply(stdout);
      return Buffer.from(`puller:${password}`).toString('base64');
    };
    for (const password of ['first-not-a-real-password', 'second-not-a-real-password']) {
      const credential = await put(password);
      await waitForNodes();
      const files = await everyNode(async (node) => (await node.files()).get('quay.io/hosts.toml'));
      for (const file of files.slice(0, 3)) expect(file).toContain(`Authorization = "Basic ${credential}"`);
      const { stdout: events } = await cluster.site.kubectl(['get', 'events', '-A', '-o=json']);
      const { stdout: nodes } = await cluster.site.kubectl(['get', 'nodes', '-o=json']);
      for (const text of [cluster.replicas[0]!.output(), events, nodes]) {
        expect(text).not.toContain(credential);
        expect(text).not.toContain(password);
      }
    }
  });

  it('a rotated SSH key is taken up: a wrong one is named, the right one goes on', async () => {
    const next = cluster.nodes.makeKey();
    await cluster.nodes.putKey(next);
    await apply(digestSet('after-rotation', 'docker.io/library', 'mirror.example.com/library'));
    await vi.waitFor(async () => {
      const conditions = (await nodeObject('win-1')).status.conditions ?? [];
      expect(conditions).toContainEqual(
        expect.objectContaining({
          type: 'MirrorConfigSynced',
          status: 'False',
          reason: 'AuthenticationFailed',
          message: expect.stringContaining('refused user') as string,
        }),
      );
    }, patience);

    for (const node of cluster.nodes.nodes) node.authorize(next.publicKey);
    await waitForNodes();
    expect(await everyNode((node) => mirrorsAt(node, 'docker.io'))).toEqual([
      ...Array<string[]>(3).fill(['https://mirror.example.com/v2']),
      undefined,
    ]);
  });

  it('a node that shows another host key than before is refused, and says how to accept the new one', async () => {
    const [node] = cluster.nodes.nodes;
    const pin = `${node!.address}_${node!.port}`;
    const { stdout: secret } = await cluster.site.kubectl([
      '-n=mirrorgate',
      'get',
      'secret',
      'mirrorgate-host-keys',
      '-o=json',
    ]);
    const { data } = JSON.parse(secret) as { data: Record<string, string> };
    const [host] = Buffer.from(data[pin]!, 'base64').toString().split(' ');
    const [type, key] = cluster.nodes.makeKey().publicKey.split(' ');
    const other = Buffer.from(`${host!} ${type!} ${key!}\n`).toString('base64');
    await cluster.site.kubectl([
      '-n=mirrorgate',
      'patch',
      'secret',
      'mirrorgate-host-keys',
      `--patch=${JSON.stringify({ data: { [pin]: other } })}`,
    ]);
    await apply(digestSet('after-reinstall', 'registry.k8s.io/kube', 'mirror.example.com/kube'));
    const conditionOf = async () =>
      (await nodeObject(node!.name)).status.conditions?.find(({ type }) => type === 'MirrorConfigSynced');
    await vi.waitFor(async () => {
      expect(await conditionOf()).toMatchObject({ status: 'False', reason: 'HostKeyMismatch' });
    }, patience);

    const command = /kubectl (-n mirrorgate patch secret .*?\])'/.exec(
      (await conditionOf())?.message ?? '',
    )?.[1];
    expect(command).toBeDefined();
    await cluster.site.kubectl(command!.replaceAll("'", '').split(' '));
    await waitForNodes();
    expect(await mirrorsAt(node!, 'registry.k8s.io')).toEqual(['https://mirror.example.com/v2']);
  });

  it('writes nothing more to a node when nothing has changed', async () => {
    await waitForNodes();
    const before = await everyNode(async ({ name }) =>
      name === 'win-new' ? undefined : (await nodeObject(name)).metadata.resourceVersion,
    );
    await cluster.site.kubectl(['annotate', 'idms', 'clean', 'example.com/touched=yes']);
    await vi.waitFor(async () => {
      const { stdout } = await cluster.site.kubectl([
        'get',
        'idms',
        'clean',
        '-o=jsonpath={.metadata.annotations}',
      ]);
      expect(stdout).toContain('touched');
    }, patience);
    // Longer than the sources have to be quiet: a run has been made by then.
    await cluster.site.kubectl(['annotate', 'node', 'win-2', 'example.com/touched=yes']);
    await cluster.replicas[0]!.waitForLog(() => true);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const after = await everyNode(async ({ name }) =>
      name === 'win-new' ? undefined : (await nodeObject(name)).metadata.resourceVersion,
    );
    expect([after[0], after[2]]).toEqual([before[0], before[2]]);
  });

  it('its Events tell at the node what happened', async () => {
    const { stdout } = await cluster.site.kubectl(['describe', 'node', 'win-1']);
    expect(stdout).toMatch(/MirrorConfigSynced\s+True/);
    expect(stdout).toMatch(/Normal\s+MirrorConfigSynced/);
    expect(stdout).toMatch(/Warning\s+AuthenticationFailed/);
    expect(stdout).toMatch(/Normal\s+HostKeyPinned/);
  });
});
