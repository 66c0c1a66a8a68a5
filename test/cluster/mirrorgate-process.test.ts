import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startKubeSite, type KubeSite } from './kube-site.js';
import { startMirrorgate } from './mirrorgate-process.js';

let folder: string;
let site: KubeSite;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mirrorgate-process-'));
  site = await startKubeSite();
  await site.installCrds('mirror-sets');
});
afterAll(async () => {
  await site.stop();
  await rm(folder, { recursive: true });
});

test('serve says where it serves, and ends with 0 at SIGTERM', async () => {
  const mirrorgate = await startMirrorgate({ kubeconfig: site.kubeconfig });
  expect(mirrorgate.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  expect((await fetch(`${mirrorgate.metricsUrl}/metrics`)).status).toBe(200);
  const stopping = mirrorgate.waitForLog(/SIGTERM/);
  expect(await mirrorgate.stop()).toBe(0);
  expect(await stopping).toHaveProperty('level', 30);
  await expect(mirrorgate.waitForLog(/what nobody says/)).rejects.toThrow('mirrorgate has ended');
});

test('a serve that cannot start is an error with its own words', async () => {
  const kubeconfig = join(folder, 'nowhere');
  await expect(startMirrorgate({ kubeconfig })).rejects.toThrow(kubeconfig);
});

test('a serve that is killed tells by what', async () => {
  const mirrorgate = await startMirrorgate({ kubeconfig: site.kubeconfig });
  mirrorgate.kill('SIGKILL');
  expect(await mirrorgate.exited).toEqual({ code: null, signal: 'SIGKILL' });
  expect(await mirrorgate.stop()).toBeNull();
});
