import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { caBundle } from '../../src/cluster/ca-bundle.js';
import { certSecret } from '../../src/cluster/cert-secret.js';
import type { KubeClient } from '../../src/cluster/kube-client.js';
import { resources } from '../../src/cluster/kube-object.js';
import { Reflector } from '../../src/cluster/reflector.js';
import { systemClock } from '../../src/distribution/clock.js';
import type { CertLives } from '../../src/serving/cert-state.js';
import { startServer, type RunningServer } from '../../src/serving/http-server.js';
import { ManagedCerts, type RenewedPart } from '../../src/serving/managed-certs.js';
import { readBundle } from '../../src/serving/pem-bundle.js';
import { freePort } from './free-port.js';
import { startKubeSite, type KubeSite } from './kube-site.js';

const namespace = 'mirrorgate';
const { secrets, validatingWebhookConfigurations: configurations } = resources;
const patience = { timeout: 60_000, interval: 50 };
const hour = 3_600_000;
const longLives: CertLives = { ca: 1_000 * hour, leaf: 100 * hour };

/** The Secret and the configuration of one test. */
interface Names {
  readonly secret: string;
  readonly configuration: string;
}

interface Replica {
  readonly certs: ManagedCerts;
  readonly renewed: RenewedPart[];
  readonly restored: string[];
  readonly repaired: string[];
  readonly faults: string[];
  leads: boolean;
  stop(): Promise<void>;
}

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.stop();
});

/** What one process has of the certificates: its own client, reflectors and state. */
async function startReplica(
  site: KubeSite,
  names: Names,
  {
    leads,
    lives = longLives,
    propagationMs = 1_000,
  }: { leads: boolean; lives?: CertLives; propagationMs?: number },
): Promise<Replica> {
  const client = await site.client();
  const secretReflector = new Reflector({
    client,
    resource: secrets,
    scope: { namespace, name: names.secret },
  });
  const configurationReflector = new Reflector({
    client,
    resource: configurations,
    scope: { name: names.configuration },
  });
  const certs = new ManagedCerts({
    store: certSecret({ client, reflector: secretReflector, namespace, name: names.secret }),
    target: caBundle({ client, reflector: configurationReflector, name: names.configuration }),
    clock: systemClock,
    random: Math.random,
    isLeader: () => replica.leads,
    hosts: ['127.0.0.1'],
    lives,
    propagationMs,
    observer: {
      onRenewed: (what) => replica.renewed.push(what),
      onRestored: (store, reason) => replica.restored.push(`${store}: ${reason}`),
      onInjected: () => undefined,
      onRepaired: (target) => replica.repaired.push(target),
      onFault: ({ message }) => replica.faults.push(message),
    },
  });
  const replica: Replica = {
    certs,
    renewed: [],
    restored: [],
    repaired: [],
    faults: [],
    leads,
    async stop() {
      await certs.stop();
      await Promise.all([secretReflector.stop(), configurationReflector.stop()]);
    },
  };
  running.push(replica);
  certs.start();
  secretReflector.start();
  configurationReflector.start();
  return replica;
}

/** Allows everything, whatever is asked. */
async function startWebhook(certs: ManagedCerts, port: number): Promise<RunningServer & { reviews: number }> {
  const counted = { reviews: 0 };
  const server = await startServer({
    bind: { host: '127.0.0.1', port },
    tls: await certs.firstPair(),
    handler: (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const review = JSON.parse(Buffer.concat(chunks).toString()) as { request: { uid: string } };
        counted.reviews += 1;
        response.setHeader('Content-Type', 'application/json');
        // No idle connection: every review is a new handshake with the certificate of the moment.
        response.setHeader('Connection', 'close');
        response.end(
          JSON.stringify({
            apiVersion: 'admission.k8s.io/v1',
            kind: 'AdmissionReview',
            response: { uid: review.request.uid, allowed: true },
          }),
        );
      });
    },
  });
  running.push({ stop: () => server.stop({ drainMs: 0, graceMs: 0 }) });
  certs.onPair((pair) => {
    server.setSecureContext(pair);
  });
  return Object.assign(counted, server);
}

/** A configuration whose webhooks fail closed, one for each port, for ConfigMaps with a label. */
function webhookConfiguration(name: string, ports: readonly number[]): string {
  return JSON.stringify({
    apiVersion: configurations.apiVersion,
    kind: configurations.kind,
    metadata: { name },
    webhooks: ports.map((port, n) => ({
      name: `w${n}.${name}.mirrorgate.dev`,
      clientConfig: { url: `https://127.0.0.1:${port}/validate` },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
      objectSelector: { matchLabels: { judged: name } },
      failurePolicy: 'Fail',
      sideEffects: 'None',
      timeoutSeconds: 10,
      admissionReviewVersions: ['v1'],
    })),
  });
}

function configMap(label: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace, generateName: 'judged-', labels: { judged: label } },
  });
}

describe('on a real API server', () => {
  let site: KubeSite;
  let admin: KubeClient;
  let count = 0;
  beforeAll(async () => {
    site = await startKubeSite();
    admin = await site.client();
  });
  afterAll(() => site.stop());

  async function prepare(ports: readonly number[] = [1]): Promise<Names> {
    count += 1;
    const names = { secret: `tls-${count}`, configuration: `gate-${count}` };
    await site.kubectl(['create', '-f', '-'], { input: webhookConfiguration(names.configuration, ports) });
    return names;
  }

  async function bundlesOf({ configuration }: Names): Promise<string[]> {
    const object = await admin.get(configurations, { name: configuration });
    const webhooks = object?.['webhooks'] as { clientConfig: { caBundle?: string } }[];
    return webhooks.map(({ clientConfig }) => Buffer.from(clientConfig.caBundle ?? '', 'base64').toString());
  }

  async function dataOf({ secret }: Names): Promise<Record<string, string>> {
    const object = await admin.get(secrets, { namespace, name: secret });
    if (object === undefined) throw new Error(`there is no Secret ${secret}`);
    return object['data'] as Record<string, string>;
  }

  function eventually(check: () => void | Promise<void>): Promise<void> {
    return vi.waitFor(check, patience);
  }

  async function untilInjected(names: Names): Promise<string> {
    let bundle = '';
    await eventually(async () => {
      const bundles = await bundlesOf(names);
      bundle = bundles[0] ?? '';
      expect(readBundle(bundle).certs).toHaveLength(1);
      for (const each of bundles) expect(each).toBe(bundle);
    });
    return bundle;
  }

  test('two replicas that start at once agree on one authority, and the leader has the API server trust it', async () => {
    const names = await prepare([1, 2]);
    const replicas = await Promise.all([
      startReplica(site, names, { leads: false }),
      startReplica(site, names, { leads: false }),
    ]);
    const pairs = await Promise.all(replicas.map(({ certs }) => certs.firstPair()));
    expect(pairs[0]).toEqual(pairs[1]);
    expect(replicas.flatMap(({ renewed }) => renewed)).toEqual(['authority']);
    expect(await bundlesOf(names)).toEqual(['', '']);

    replicas[1].leads = true;
    await replicas[1].certs.check();
    const bundle = await untilInjected(names);
    const data = await dataOf(names);
    expect(data['ca.crt']).toBe(Buffer.from(bundle).toString('base64'));
    await eventually(() => {
      for (const { certs } of replicas) expect(certs.readiness().ok).toBe(true);
    });
    const secret = await admin.get(secrets, { namespace, name: names.secret });
    expect(secret).toMatchObject({
      type: 'kubernetes.io/tls',
      metadata: { labels: { 'app.kubernetes.io/managed-by': 'mirrorgate' } },
    });
    expect(replicas.flatMap(({ faults }) => faults)).toEqual([]);
  });

  test('a bundle that somebody changes is repaired, and everything else that they changed stays', async () => {
    const names = await prepare([1, 2]);
    const leader = await startReplica(site, names, { leads: true });
    const bundle = await untilInjected(names);
    const patch = [
      { op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value: 'eA==' },
      { op: 'replace', path: '/webhooks/1/timeoutSeconds', value: 7 },
      { op: 'add', path: '/metadata/labels', value: { team: 'a' } },
    ];
    await site.kubectl([
      'patch',
      'validatingwebhookconfiguration',
      names.configuration,
      '--type=json',
      `-p=${JSON.stringify(patch)}`,
    ]);
    await eventually(async () => {
      expect(await bundlesOf(names)).toEqual([bundle, bundle]);
    });
    expect(leader.repaired).toEqual([`ValidatingWebhookConfiguration ${names.configuration}`]);
    const object = await admin.get(configurations, { name: names.configuration });
    expect(object).toMatchObject({
      metadata: { labels: { team: 'a' } },
      webhooks: [{ timeoutSeconds: 10 }, { timeoutSeconds: 7 }],
    });
  });

  test('kubectl apply of a configuration without bundle takes nothing away', async () => {
    const names = await prepare();
    const leader = await startReplica(site, names, { leads: true });
    const bundle = await untilInjected(names);
    const input = webhookConfiguration(names.configuration, [1]);
    for (const flags of [[], ['--server-side', '--field-manager=gitops', '--force-conflicts']])
      await site.kubectl(['apply', '-f', '-', ...flags], { input });
    expect(await bundlesOf(names)).toEqual([bundle]);
    expect(leader.repaired).toEqual([]);
  });

  test('a configuration that is deleted and made again gets its bundle, and an annotation keeps us off', async () => {
    const names = await prepare();
    const leader = await startReplica(site, names, { leads: true });
    const bundle = await untilInjected(names);
    const what = ['validatingwebhookconfiguration', names.configuration];
    await site.kubectl(['delete', ...what]);
    await eventually(() => {
      expect(leader.faults).toEqual([
        `ValidatingWebhookConfiguration ${names.configuration} does not exist: no review comes`,
      ]);
    });
    await site.kubectl(['create', '-f', '-'], { input: webhookConfiguration(names.configuration, [1]) });
    await eventually(async () => {
      expect(await bundlesOf(names)).toEqual([bundle]);
    });

    await site.kubectl(['annotate', ...what, 'service.beta.openshift.io/inject-cabundle=true']);
    await eventually(() => {
      expect(leader.faults.at(-1)).toBe(
        `the caBundle of ValidatingWebhookConfiguration ${names.configuration} is left alone: ` +
          "the annotation service.beta.openshift.io/inject-cabundle has OpenShift's service CA write it",
      );
    });
    const patch = '[{"op":"replace","path":"/webhooks/0/clientConfig/caBundle","value":"eA=="}]';
    await site.kubectl(['patch', ...what, '--type=json', `-p=${patch}`]);
    await site.kubectl(['annotate', ...what, 'note=x']);
    await leader.certs.check();
    expect(await bundlesOf(names)).toEqual(['x']);
    await site.kubectl(['annotate', ...what, 'service.beta.openshift.io/inject-cabundle-']);
    await eventually(async () => {
      expect(await bundlesOf(names)).toEqual([bundle]);
    });
  });

  test('a Secret that is deleted, emptied or garbled comes back as it was, and nobody serves anything else', async () => {
    const names = await prepare();
    const replicas = [
      await startReplica(site, names, { leads: true }),
      await startReplica(site, names, { leads: false }),
    ] as const;
    await untilInjected(names);
    const served: string[] = [];
    for (const { certs } of replicas) certs.onPair(({ cert }) => served.push(cert));
    await Promise.all(replicas.map(({ certs }) => certs.firstPair()));
    const before = await dataOf(names);
    const secret = ['-n', namespace, 'secret', names.secret];
    const merge = (data: unknown) =>
      site.kubectl(['patch', ...secret, '--type=merge', `-p=${JSON.stringify({ data })}`]);
    const spoils: [() => Promise<unknown>, string][] = [
      [() => site.kubectl(['delete', ...secret]), 'it was removed'],
      [() => merge({ 'ca.key': null }), 'ca.key is missing'],
      [() => merge({ 'tls.crt': 'eA==' }), 'tls.crt holds no readable PEM certificate'],
      [() => merge({ 'tls.key': before['ca.key'] }), 'tls.key is not the private key of tls.crt'],
      [() => merge(Object.fromEntries(Object.keys(before).map((key) => [key, '']))), 'it was removed'],
    ];
    const told: string[] = [];
    for (const [spoil, reason] of spoils) {
      await spoil();
      told.push(`Secret ${namespace}/${names.secret}: ${reason}`);
      await eventually(async () => {
        expect(replicas[0].restored).toEqual(told);
        expect(await dataOf(names)).toEqual(before);
      });
    }
    expect(new Set(served).size).toBe(1);
    expect(replicas[0].faults).toEqual([]);
    expect(replicas[1].restored).toEqual([]);
    // It says what it sees, should there be no leader.
    for (const fault of replicas[1].faults)
      expect(fault).toMatch(/^Secret mirrorgate\/tls-\d+ cannot be used: /);
  });

  test('leaves and authorities turn over while the API server asks two webhooks all the time: no request fails', async () => {
    const ports = [await freePort(), await freePort()] as const;
    const names = await prepare(ports);
    const timing = { lives: { ca: 24_000, leaf: 12_000 }, propagationMs: 2_000 };
    const replicas = [
      await startReplica(site, names, { leads: true, ...timing }),
      await startReplica(site, names, { leads: false, ...timing }),
    ] as const;
    const webhooks = [
      await startWebhook(replicas[0].certs, ports[0]),
      await startWebhook(replicas[1].certs, ports[1]),
    ] as const;
    const input = configMap(names.configuration);
    const create = () => site.kubectl(['create', '--dry-run=server', '-f', '-'], { input });
    await untilInjected(names);
    await eventually(async () => {
      await create();
    });

    const authorities = new Set<string>();
    const failures: string[] = [];
    let requests = 0;
    let isOver = false;
    const turnOver = async () => {
      const giveUp = Date.now() + 150_000;
      while (authorities.size < 4 && Date.now() < giveUp) {
        for (const cert of readBundle((await bundlesOf(names))[0] ?? '').certs) authorities.add(cert);
        await delay(100);
      }
      isOver = true;
    };
    const ask = async (request: () => Promise<unknown>) => {
      while (!isOver) {
        try {
          await request();
          requests += 1;
        } catch (error) {
          failures.push(`${new Date().toISOString()} ${String(error)}`);
        }
        await delay(20);
      }
    };
    // kubectl for what people see, the client for more requests than kubectl can make.
    const byClient = async () => {
      const made = await admin.create(resources.configMaps, {
        metadata: {
          namespace,
          name: `judged-${requests}-${Date.now()}`,
          labels: { judged: names.configuration },
        },
      });
      await admin.remove(resources.configMaps, { namespace, name: made.metadata.name });
    };
    await Promise.all([turnOver(), ask(create), ask(byClient)]);

    expect(failures).toEqual([]);
    // The first authority, two that have signed since, and one that comes next.
    expect(authorities.size).toBeGreaterThanOrEqual(4);
    expect(replicas[0].renewed.filter((what) => what === 'authority').length).toBeGreaterThanOrEqual(2);
    expect(replicas[0].renewed).toContain('certificate');
    expect(
      replicas.flatMap(({ faults, restored, repaired }) => [...faults, ...restored, ...repaired]),
    ).toEqual([]);
    expect(requests).toBeGreaterThan(20);
    for (const webhook of webhooks) expect(webhook.reviews).toBeGreaterThanOrEqual(requests);
  });
});
