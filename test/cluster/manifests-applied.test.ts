import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { webhookName } from '../../src/sandbox/oc-output.js';
import { startKubeSite, type KubeSite } from './kube-site.js';
import { ofKind, theOnly, type Deployment, type Manifest } from './manifest-kinds.js';
import {
  applyOverlay,
  deleteOverlay,
  forServer,
  installOverlayKinds,
  openshiftNamespaces,
  overlays,
  renderOverlay,
} from './overlay.js';

let site: KubeSite;
beforeAll(async () => {
  site = await startKubeSite({ namespaces: openshiftNamespaces });
  await site.installCrds('mirror-sets');
  await installOverlayKinds(site);
});
afterAll(() => site.stop());

describe.each(overlays)('overlay %s on a real API server', (overlay) => {
  let manifests: readonly Manifest[];
  let said: string;
  beforeAll(async () => {
    manifests = await renderOverlay(overlay);
    said = await applyOverlay(site, overlay);
  });
  afterAll(() => deleteOverlay(site, overlay));

  test('is applied whole; only the disruption budget has another version on an old server', async () => {
    expect(said.trimEnd().split('\n')).toHaveLength(manifests.length);
    const changed = (await forServer(site, manifests)).filter(
      (manifest, index) => manifest !== manifests[index],
    );
    for (const { kind, apiVersion } of changed)
      expect({ kind, apiVersion }).toEqual({ kind: 'PodDisruptionBudget', apiVersion: 'policy/v1beta1' });
  });

  test('changes nothing when it is applied again, and leaves the CA bundle that others put in', async () => {
    const caBundle = Buffer.from('a bundle').toString('base64');
    const path = '/webhooks/0/clientConfig/caBundle';
    const name = ['validatingwebhookconfiguration', 'mirrorgate'];
    const patch = JSON.stringify([{ op: 'add', path, value: caBundle }]);
    await site.kubectl(['patch', ...name, '--type=json', '-p', patch]);

    for (const line of (await applyOverlay(site, overlay)).trimEnd().split('\n'))
      expect(line).toMatch(/ unchanged$/);
    for (const line of (await applyOverlay(site, overlay, { serverSide: true })).trimEnd().split('\n'))
      expect(line).toMatch(/ serverside-applied$/);
    const { stdout } = await site.kubectl([
      'get',
      ...name,
      '-o',
      'jsonpath={.webhooks[0].clientConfig.caBundle}',
    ]);
    expect(stdout).toBe(caBundle);
  });

  test('has a pod that the server takes, with the priority that it asks for', async () => {
    const { spec } = theOnly(ofKind<Deployment>(manifests, 'Deployment'));
    const input = JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'trial', namespace: 'mirrorgate', labels: spec.template.metadata.labels },
      spec: spec.template.spec,
    });
    const { stdout } = await site.kubectl(['create', '--dry-run=server', '-o', 'json', '-f', '-'], {
      input,
    });
    expect(JSON.parse(stdout)).toMatchObject({
      spec: { priorityClassName: 'system-cluster-critical', priority: 2e9 },
    });
  });

  test('opens when the webhook configuration is patched or deleted, which no webhook can forbid', async () => {
    const name = ['validatingwebhookconfiguration', 'mirrorgate'];
    const create = async (kind: string, options: { readonly expectFailure: boolean }) =>
      site.kubectl(['create', '-f', '-', '--dry-run=server'], {
        ...options,
        input: JSON.stringify({
          apiVersion: 'config.openshift.io/v1',
          kind,
          metadata: { name: 'locked-out' },
          spec: {},
        }),
      });
    // Nothing answers behind the service: there is no pod.
    const fails = overlay.endsWith('-fail');
    for (const kind of ['ImageDigestMirrorSet', 'ImageTagMirrorSet']) {
      const { stdout, stderr } = await create(kind, { expectFailure: fails });
      if (fails) expect(stderr).toContain(`failed calling webhook "${webhookName}"`);
      else expect(stdout).toContain('created (server dry run)');
    }
    const patch = '[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]';
    await site.kubectl(['patch', ...name, '--type=json', `-p=${patch}`]);
    await expectSoon(() => create('ImageTagMirrorSet', { expectFailure: false }));

    await applyOverlay(site, overlay, { serverSide: true });
    await site.kubectl(['delete', ...name]);
    await expectSoon(() => create('ImageTagMirrorSet', { expectFailure: false }));
    // Back again, as the comment beside the webhook says.
    await applyOverlay(site, overlay);
  });
});

/** The API server takes a changed webhook configuration up a moment later. */
async function expectSoon(request: () => Promise<unknown>): Promise<void> {
  await expect.poll(() => request().then(() => 'done', String), { timeout: 15_000 }).toBe('done');
}
