import { Agent, get, type RequestOptions } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { startServer, type RunningServer } from '../../src/serving/http-server.js';
import { ManagedCerts, type RenewedPart } from '../../src/serving/managed-certs.js';
import { MemoryBundleTarget } from '../unit/serving/memory-bundle-target.js';
import { MemoryCertStore } from '../unit/serving/memory-cert-store.js';

const lives = { ca: 18_000, leaf: 9_000 };
const propagationMs = 1_000;
const clock = {
  now: () => Date.now(),
  after(milliseconds: number, callback: () => void) {
    const timer = setTimeout(callback, milliseconds);
    return () => {
      clearTimeout(timer);
    };
  },
};

/** One replica: a real HTTPS server that learns of changes `lagMs` late. */
async function startReplica(
  world: { readonly store: MemoryCertStore; readonly target: MemoryBundleTarget },
  { lagMs, leads }: { readonly lagMs: number; readonly leads: boolean },
) {
  const deliver = (callback: () => void) => void setTimeout(callback, lagMs);
  const renewed: RenewedPart[] = [];
  const faults: string[] = [];
  const certs = new ManagedCerts({
    store: world.store.view(deliver),
    target: world.target.view(deliver),
    clock,
    random: Math.random,
    isLeader: () => leads,
    hosts: ['127.0.0.1'],
    lives,
    propagationMs,
    observer: {
      onRenewed: (what) => renewed.push(what),
      onRestored: (_, reason) => faults.push(reason),
      onInjected: () => undefined,
      onRepaired: (name) => faults.push(`${name} was changed`),
      onFault: ({ message }) => faults.push(message),
    },
  });
  onTestFinished(() => certs.stop());
  certs.start();
  const server = await startServer({
    handler: (_request, response) => response.end('ok'),
    bind: { host: '127.0.0.1', port: 0 },
    tls: await certs.firstPair(),
    onError: ({ message }) => faults.push(message),
  });
  onTestFinished(() => server.stop({ drainMs: 0, graceMs: 0 }));
  certs.onPair((pair) => {
    server.setSecureContext(pair);
  });
  return { server, certs, renewed, faults };
}

/** Resolves with the fingerprint of the certificate that the server showed. */
function ask(server: RunningServer, options: RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(server.url, { timeout: 10_000, ...options }, (response) => {
      const { socket } = response;
      if (!(socket instanceof TLSSocket)) throw new Error('not a TLS connection');
      const { fingerprint256 } = socket.getPeerCertificate();
      response.resume();
      response.once('end', () => {
        resolve(fingerprint256);
      });
      response.once('error', reject);
    });
    request.once('timeout', () => request.destroy(new Error('no answer')));
    request.once('error', reject);
  });
}

it('no request fails while leaves and authorities turn over twice, for clients that learn of the bundle late', async () => {
  const world = { store: new MemoryCertStore(), target: new MemoryBundleTarget() };
  const [leader, follower] = await Promise.all([
    startReplica(world, { lagMs: 20, leads: true }),
    startReplica(world, { lagMs: 150, leads: false }),
  ]);
  let bundle = '';
  const learn = world.target.view((callback) => void setTimeout(callback, propagationMs / 2));
  learn.onChange(() => {
    const injected = learn.current();
    bundle = injected?.kind === 'present' ? (injected.bundles[0] ?? '') : '';
  });
  await expect.poll(() => bundle, { timeout: 20_000 }).toContain('BEGIN CERTIFICATE');

  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => {
    agent.destroy();
  });
  const failures: string[] = [];
  const shown = [new Set<string>(), new Set<string>()];
  const bundles = new Set<string>();
  let answers = 0;
  const authorities = () => leader.renewed.filter((what) => what === 'authority').length;
  let isOver = false;
  const turnOver = async () => {
    const giveUp = Date.now() + 100_000;
    while (authorities() < 3 && Date.now() < giveUp) await delay(50);
    // Both go on for a while under the third authority.
    await delay(2_000);
    isOver = true;
  };
  /** Asks over new connections, as an API server does after a pause, or over one that stays open. */
  const client = async (n: 0 | 1, connection: RequestOptions) => {
    const { server } = [leader, follower][n] ?? leader;
    while (!isOver) {
      try {
        bundles.add(bundle);
        shown[n]?.add(await ask(server, { ca: bundle, ...connection }));
        answers += 1;
      } catch (error) {
        failures.push(`${new Date().toISOString()} ${n}: ${String(error)}`);
      }
      await delay(10);
    }
  };
  await Promise.all([
    turnOver(),
    client(0, { agent: false }),
    client(1, { agent: false }),
    client(0, { agent }),
    client(1, { agent }),
  ]);

  expect(failures).toEqual([]);
  expect([...leader.faults, ...follower.faults]).toEqual([]);
  expect(authorities()).toBe(3);
  expect(answers).toBeGreaterThan(100);
  // Two authorities after the first, each made known before it signed.
  expect(bundles.size).toBeGreaterThanOrEqual(3);
  for (const seen of shown) expect(seen.size).toBeGreaterThanOrEqual(3);
  expect(follower.renewed.filter((what) => what !== 'authority')).toEqual([]);
}, 150_000);
