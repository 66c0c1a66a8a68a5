import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { request, Agent } from 'node:https';
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { readBundle } from '../../src/serving/pem-bundle.js';
import { reportFigures } from '../conformance/report-figures.js';
import { portOf, startInstalledCluster, type InstalledCluster } from './installed-cluster.js';

let cluster: InstalledCluster;

/** Seconds, and not months: what is asked for is that clients never notice, however often it happens. */
const certSeconds = 30;
const caSeconds = 60;
const days = (seconds: number) => (seconds / 86_400).toFixed(6);

beforeAll(async () => {
  cluster = await startInstalledCluster({
    // With Fail, a request that the webhook does not answer fails where everybody sees it.
    overlay: 'self-signed-fail',
    replicas: 2,
    args: [`--cert-lifetime=${days(certSeconds)}`, `--ca-lifetime=${days(caSeconds)}`],
  });
});
afterAll(async () => {
  await cluster.stop();
});

interface Tally {
  asked: number;
  /** What went wrong: none is expected. */
  readonly failures: string[];
}

/** Asks the API server over and over until it is told to stop, and counts the answers that the webhook did not give. */
function askConstantly(): { readonly tally: Tally; stop(): Promise<Tally> } {
  const tally: Tally = { asked: 0, failures: [] };
  const kubeconfig = parse(readFileSync(cluster.site.kubeconfig, 'utf8')) as {
    users: { user: { token: string } }[];
  };
  const token = kubeconfig.users[0]!.user.token;
  const agent = new Agent({ keepAlive: true, ca: readFileSync(cluster.site.caFile) });
  let stopped = false;

  const create = (mirror: string) =>
    new Promise<{ code: number; body: string }>((resolve, reject) => {
      const asking = request(
        `${cluster.site.server}/apis/config.openshift.io/v1/imagedigestmirrorsets?dryRun=All`,
        {
          method: 'POST',
          agent,
          headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        },
        (answer) => {
          let body = '';
          answer.setEncoding('utf8').on('data', (text: string) => (body += text));
          answer.on('end', () => {
            resolve({ code: answer.statusCode ?? 0, body });
          });
        },
      );
      asking.on('error', reject);
      asking.end(
        JSON.stringify({
          apiVersion: 'config.openshift.io/v1',
          kind: 'ImageDigestMirrorSet',
          metadata: { generateName: 'asked-' },
          spec: { imageDigestMirrors: [{ source: 'quay.io/org/image', mirrors: [mirror] }] },
        }),
      );
    });
  const loop = async (mirror: string, expected: (answer: { code: number; body: string }) => boolean) => {
    while (!stopped) {
      const answer = await create(mirror);
      tally.asked += 1;
      if (!expected(answer)) tally.failures.push(`${answer.code} ${answer.body.slice(0, 400)}`);
      await delay(5);
    }
  };
  const loops = [
    // The denial proves that the webhook was asked; the consent, that asking did not fail.
    loop(
      'mirror.example.com/other',
      ({ code, body }) => code === 403 && body.includes('windows-mirror-path'),
    ),
    loop('mirror.example.com/org/image', ({ code }) => code === 201),
    loop('mirror.example.com/more/org/image', ({ code }) => code === 201),
  ];
  return {
    tally,
    async stop() {
      stopped = true;
      await Promise.all(loops);
      agent.destroy();
      return tally;
    },
  };
}

/** What the Secret holds, without its keys. */
async function served(): Promise<{ leaf: string; authorities: readonly string[] }> {
  const { stdout } = await cluster.site.kubectl([
    '-n=mirrorgate',
    'get',
    'secret',
    'mirrorgate-tls',
    '-o=json',
  ]);
  const { data } = JSON.parse(stdout) as { data: Record<string, string> };
  const text = (key: string) => Buffer.from(data[key]!, 'base64').toString();
  return {
    leaf: new X509Certificate(text('tls.crt')).fingerprint256,
    authorities: readBundle(text('ca.crt')).certs.map((pem) => new X509Certificate(pem).fingerprint256),
  };
}

const patience = { timeout: 200_000, interval: 1_000 };

describe('under constant requests, none fails', () => {
  it('while the certificate and its authority turn over', async () => {
    const before = await served();
    const asking = askConstantly();
    await vi.waitFor(async () => {
      const now = await served();
      expect(now.leaf).not.toBe(before.leaf);
      // The old authority has come and gone: whoever trusted it alone would be lost by now.
      expect(now.authorities.filter((one) => before.authorities.includes(one))).toEqual([]);
    }, patience);
    const { asked, failures } = await asking.stop();
    reportFigures('rotation of certificate and authority', { requests: asked, failed: failures.length });
    expect(failures).toEqual([]);
    expect(asked).toBeGreaterThan(100);
  });

  it('while both replicas are replaced one after another', async () => {
    const old = [...cluster.replicas];
    const asking = askConstantly();
    for (const replica of old) {
      await cluster.startReplica();
      replica.kill('SIGTERM');
      // Endpoints follow a little later than the signal, as in a cluster.
      await delay(1_000);
      cluster.service.remove(portOf(replica));
      expect(await replica.exited).toEqual({ code: 0, signal: null });
    }
    await delay(2_000);
    const { asked, failures } = await asking.stop();
    reportFigures('rolling restart of both replicas', { requests: asked, failed: failures.length });
    expect(failures).toEqual([]);
    expect(asked).toBeGreaterThan(100);
    expect(old).not.toContain(await cluster.leader());
  });
});
