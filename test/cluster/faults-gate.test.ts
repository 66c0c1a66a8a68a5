import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createCa, issueLeaf } from '../../src/serving/self-signed.js';
import type { KeyPair } from '../../src/serving/key-pair.js';
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
import { portOf, startInstalledCluster, type InstalledCluster } from './installed-cluster.js';
import type { LogLine, MirrorgateProcess } from './mirrorgate-process.js';

let cluster: InstalledCluster;
let replica: MirrorgateProcess;
/** From the start its watches stall in silence; new connections work. */
let stalled: MirrorgateProcess;
let proxy: FaultyProxy;
const day = 24 * 60 * 60 * 1000;

beforeAll(async () => {
  cluster = await startInstalledCluster({ nodes: 3 });
  replica = await cluster.leader();
  await whenDenied();

  proxy = await startFaultyProxy({ port: cluster.site.apiPort });
  stalled = await cluster.startReplica({ server: `https://127.0.0.1:${proxy.port}` });
  cluster.service.remove(portOf(stalled));
  await apply(cluster.site, digestSet('seen', { 'gcr.io/team/app': 'mirror.example.com/team/app' }));
  await stalled.waitForLog(knowsOf('gcr.io'), { timeout: patience.timeout });
  proxy.stall();
  await apply(cluster.site, digestSet('unseen', { 'nvcr.io/team/app': 'mirror.example.com/team/app' }));
  await replica.waitForLog(knowsOf('nvcr.io'), { timeout: patience.timeout });
  proxy.resume();
});
afterAll(async () => {
  await cluster.stop();
  await proxy.stop();
});

/** Resolves when the API server refuses, in mirrorgate's words, what the policy forbids. */
function whenDenied(): Promise<void> {
  return vi.waitFor(async () => {
    const { stderr } = await cluster.site.kubectl(
      ['create', '--dry-run=server', '-f', 'manifests/examples/ubi9repo.yaml'],
      { expectFailure: true },
    );
    expect(stderr).toContain('admission webhook "mirror-sets.mirrorgate.dev" denied the request');
  }, patience);
}

/** A line by which a replica tells that it knows of mirrors of a registry. */
function knowsOf(registry: string): (line: LogLine) => boolean {
  return ({ registries }) => Array.isArray(registries) && registries.includes(registry);
}

function newAuthority(name: string): Promise<KeyPair> {
  return createCa({ now: new Date(), lifeMs: 365 * day, name });
}

describe('the certificate of the webhook', () => {
  const secret = ['-n=mirrorgate', 'secret', 'mirrorgate-tls'] as const;
  const [namespace, ...name] = secret;
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const putData = (data: Readonly<Record<string, string>>) =>
    cluster.site.kubectl([
      namespace,
      'patch',
      ...name,
      '--type=merge',
      `--patch=${JSON.stringify({ data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, base64(text)])) })}`,
    ]);
  const bundle = async () => {
    const { stdout } = await cluster.site.kubectl([
      'get',
      'validatingwebhookconfiguration',
      'mirrorgate',
      '-o=jsonpath={.webhooks[0].clientConfig.caBundle}',
    ]);
    return Buffer.from(stdout, 'base64').toString();
  };

  it.each<[string, () => Promise<unknown>, RegExp]>([
    [
      'garbage in the Secret',
      () => putData({ 'tls.crt': 'no certificate', 'tls.key': 'no key' }),
      /^Secret mirrorgate\/mirrorgate-tls was written anew: tls.crt /,
    ],
    [
      'a deleted Secret',
      () => cluster.site.kubectl([namespace, 'delete', ...name]),
      /^Secret mirrorgate\/mirrorgate-tls was written anew: it was removed$/,
    ],
    [
      'the pair of a foreign authority in the Secret',
      async () => {
        const ca = await newAuthority('foreign');
        const { cert, key } = await issueLeaf({ now: new Date(), hosts: ['mirrorgate.mirrorgate.svc'], ca });
        await putData({ 'tls.crt': cert, 'tls.key': key });
      },
      /^Secret mirrorgate\/mirrorgate-tls was written anew: tls.crt /,
    ],
  ])('%s is told and repaired, and reviews go on', async (_, spoil, words) => {
    const from = replica.log().length;
    const before = await bundle();
    await spoil();
    await replica.waitForLog(fault(words), { from, timeout: patience.timeout });
    const { stdout } = await cluster.site.kubectl([namespace, 'get', ...name, '-o=json']);
    const { data } = JSON.parse(stdout) as { data: Record<string, string> };
    expect(Buffer.from(data['tls.crt'] ?? '', 'base64').toString()).toContain('BEGIN CERTIFICATE');
    await whenDenied();
    expect(await bundle()).toBe(before);
  });

  it('a caBundle that somebody replaces is told and repaired, and reviews are made again', async () => {
    const from = replica.log().length;
    const before = await bundle();
    const { cert } = await newAuthority('foreign');
    await cluster.site.kubectl([
      'patch',
      'validatingwebhookconfiguration',
      'mirrorgate',
      '--type=json',
      `--patch=${JSON.stringify([{ op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value: base64(cert) }])}`,
    ]);
    await replica.waitForLog(
      fault(
        /^ValidatingWebhookConfiguration mirrorgate: somebody had changed the caBundle; it is as it was$/,
      ),
      { from, timeout: patience.timeout },
    );
    expect(await bundle()).toBe(before);
    await whenDenied();
  });
});

describe('certificate files of somebody else', () => {
  let files: MirrorgateProcess;
  let ca: KeyPair;
  const file = (name: string) => join(cluster.site.directory, 'tls', name);
  /** As a Secret volume does: whole files, by renaming. */
  const putPair = (pair: KeyPair) => {
    for (const [name, text] of [
      ['tls.crt', pair.cert],
      ['tls.key', pair.key],
    ] as const) {
      writeFileSync(file(`.${name}`), text);
      renameSync(file(`.${name}`), file(name));
    }
  };
  const pairThatEnds = (end: number) => {
    const now = Date.now() - 2 * day;
    return issueLeaf({ now: new Date(now), hosts: ['127.0.0.1'], ca, lifeMs: end - now });
  };
  /** What one is told who creates a set that nobody but this replica refuses. */
  const create = async () => {
    const tagSet = {
      apiVersion: 'config.openshift.io/v1',
      kind: 'ImageTagMirrorSet',
      metadata: { name: 'by-tag' },
      spec: { imageTagMirrors: [{ source: 'quay.io/team/app', mirrors: ['mirror.example.com/team/app'] }] },
    };
    const { stderr } = await cluster.site.kubectl(['create', '--dry-run=server', '-f', '-'], {
      input: JSON.stringify(tagSet),
      expectFailure: true,
    });
    return stderr;
  };

  beforeAll(async () => {
    mkdirSync(join(cluster.site.directory, 'tls'));
    ca = await createCa({ now: new Date(Date.now() - 3 * day), lifeMs: 365 * day, name: 'service CA' });
    putPair(await pairThatEnds(Date.now() - day));
    files = await cluster.startReplica({
      args: [`--tls-cert=${file('tls.crt')}`, `--tls-key=${file('tls.key')}`, '--profile=restricted'],
    });
    cluster.service.remove(portOf(files));
    const { stdout } = await cluster.site.kubectl([
      'get',
      'validatingwebhookconfiguration',
      'mirrorgate',
      '-o=json',
    ]);
    const { webhooks } = JSON.parse(stdout) as { webhooks: readonly object[] };
    await apply(
      cluster.site,
      JSON.stringify({
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingWebhookConfiguration',
        metadata: { name: 'files' },
        webhooks: webhooks.map((webhook) => ({
          ...webhook,
          name: 'files.mirrorgate.dev',
          failurePolicy: 'Fail',
          clientConfig: {
            url: `${files.url}/validate/mirror-sets`,
            caBundle: Buffer.from(ca.cert).toString('base64'),
          },
        })),
      }),
    );
  });
  afterAll(async () => {
    await cluster.site.kubectl(['delete', 'validatingwebhookconfiguration', 'files']);
    await cluster.stopReplica(files);
  });

  it('one that has expired is told, with what to do', async () => {
    const line = await files.waitForLog(fault(/tls\.crt expired on /));
    expect(line.msg).toBe(
      `${file('tls.crt')} expired on ${new Date(Date.now() - day).toISOString().slice(0, 10)}; ` +
        'clients refuse it, API servers too: have it renewed; new files are taken up without a restart',
    );
    await vi.waitFor(async () => {
      expect(await create()).toContain('certificate has expired');
    }, patience);
  });

  it('files that are replaced are taken up without a restart', async () => {
    const from = files.log().length;
    putPair(await pairThatEnds(Date.now() + day));
    await files.waitForLog(news(/^certificate reloaded$/), { from, timeout: patience.timeout });
    await vi.waitFor(async () => {
      expect(await create()).toContain('admission webhook "files.mirrorgate.dev" denied the request');
    }, patience);
  });

  it('one that cannot be used is told, and the last good one goes on', async () => {
    const from = files.log().length;
    writeFileSync(file('tls.key'), 'no key');
    const line = await files.waitForLog(fault(/tls\.key /), { from, timeout: patience.timeout });
    expect(line.msg).toContain(`${file('tls.key')} `);
    expect(line.msg).toContain('check --tls-cert and --tls-key');
    expect(await create()).toContain('admission webhook "files.mirrorgate.dev" denied the request');
  });

  it('one that expires while it is served is told then', async () => {
    const from = files.log().length;
    putPair(await pairThatEnds(Date.now() + 5_000));
    await files.waitForLog(news(/^certificate reloaded$/), { from, timeout: patience.timeout });
    await files.waitForLog(fault(/tls\.crt expired on /), { from, timeout: patience.timeout });
  });
});

describe('a policy file that is broken at run time', () => {
  const metric = async (name: string) => {
    const text = await (await fetch(`${replica.metricsUrl}/metrics`)).text();
    const line = text.split('\n').find((one) => one.startsWith(`${name} `));
    return line?.slice(name.length + 1);
  };
  const readiness = async () => {
    const answer = await fetch(`${replica.metricsUrl}/readyz`);
    const { checks } = (await answer.json()) as { checks: Record<string, { ok: boolean; detail?: string }> };
    return { status: answer.status, policy: checks['policy'] };
  };

  it('leaves the last good one in force, and says so; mended, it is in force', async () => {
    const good = readFileSync(cluster.policyFile, 'utf8');
    let from = replica.log().length;
    writeFileSync(cluster.policyFile, good.replace('profile: baseline', 'profile: lenient'));
    const line = await replica.waitForLog(fault(/^policy /), { from, timeout: patience.timeout });
    expect(line.msg).toMatch(/policy\.yaml: spec\.profile: .*; the last good one stays in force$/);
    expect(line.msg).toContain(cluster.policyFile);
    await whenDenied();
    expect(await readiness()).toEqual({
      status: 200,
      policy: {
        ok: true,
        detail: expect.stringMatching(/^broken, the last good one is in force: spec\.profile: /) as string,
      },
    });
    expect(await metric('mirrorgate_policy_last_good')).toBe('1');
    expect(await metric('mirrorgate_policy_reloads_total{result="refused"}')).toBe('1');

    from = replica.log().length;
    writeFileSync(cluster.policyFile, good.replace('profile: baseline', 'profile: audit'));
    await replica.waitForLog(news(/^policy .* was read again and is in force$/), {
      from,
      timeout: patience.timeout,
    });
    await vi.waitFor(async () => {
      await cluster.site.kubectl(['create', '--dry-run=server', '-f', 'manifests/examples/ubi9repo.yaml']);
    }, patience);
    expect(await readiness()).toEqual({ status: 200, policy: { ok: true } });
    expect(await metric('mirrorgate_policy_last_good')).toBe('0');
    writeFileSync(cluster.policyFile, good);
    await whenDenied();
  });
});

describe('a node that cannot be reached', () => {
  it('is told with what helps, holds up no other, and is brought to it when it is back', async () => {
    await apply(cluster.site, digestSet('first', { 'quay.io/team/app': 'mirror.example.com/team/app' }));
    await waitForNodes(cluster);
    const [one, away, other] = cluster.nodes.nodes;
    await away!.stopSshd();
    const from = replica.log().length;
    await apply(cluster.site, digestSet('second', { 'ghcr.io/team/app': 'mirror.example.com/team/app' }));
    for (const node of [one!, other!]) {
      await cluster.site.kubectl([
        'wait',
        '--for=condition=MirrorConfigSynced',
        'node',
        node.name,
        '--timeout=60s',
      ]);
      expect(await registriesAt(node)).toEqual(['gcr.io', 'ghcr.io', 'nvcr.io', 'quay.io']);
    }
    const line = await replica.waitForLog(fault(/^win-2: /), { from, timeout: patience.timeout });
    expect(line.msg).toMatch(
      new RegExp(`^win-2: ${away!.address}:${away!.port} refused the connection; .*; next try in \\d+ s$`),
    );
    await vi.waitFor(async () => {
      const { status, reason, message } = (await conditionAt(cluster.site, 'win-2'))!;
      expect({ status, reason }).toEqual({ status: 'False', reason: 'Unreachable' });
      expect(line.msg).toContain(message);
    }, patience);

    await away!.startSshd();
    await waitForNodes(cluster);
    expect(await registriesAt(away!)).toEqual(['gcr.io', 'ghcr.io', 'nvcr.io', 'quay.io']);
    await replica.waitForLog(news(/^win-2: in sync \(1 written/), { from });
  });
});

describe('a watch that stalls in silence', () => {
  it('is noticed, and what was missed is known', async () => {
    const line = await stalled.waitForLog(fault(/^imagedigestmirrorsets: /), { timeout: 120_000 });
    expect(line.msg).toBe(
      'imagedigestmirrorsets: watch imagedigestmirrorsets: nothing came for 90 s, and changes were missed until now; ' +
        'something on the way drops connections without a word: look for a firewall, proxy or load balancer that forgets idle ones',
    );
    await stalled.waitForLog(knowsOf('nvcr.io'), { from: stalled.log().indexOf(line) });
    await stalled.waitForLog(news(/^imagedigestmirrorsets: works again$/));
    // A watch that had nothing to tell is no fault.
    expect(
      stalled.log().filter(fault(/^(Image cluster|Infrastructure cluster|imagetagmirrorsets): /)),
    ).toEqual([]);
  });
});

describe('a node that cannot be reached, and held what is wanted', () => {
  it('is Unknown to a replica that has not seen it', async () => {
    const away = cluster.nodes.nodes[1]!;
    await away.stopSshd();
    await cluster.stopReplica(replica);
    replica = await cluster.startReplica();
    await vi.waitFor(async () => {
      const { status, reason } = (await conditionAt(cluster.site, 'win-2'))!;
      expect({ status, reason }).toEqual({ status: 'Unknown', reason: 'Unreachable' });
    }, patience);
    await away.startSshd();
    await waitForNodes(cluster);
  });
});
