import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isApiError } from '../../src/cluster/api-error.js';
import type { KubeClient } from '../../src/cluster/kube-client.js';
import { pathOf, resources, type ApiResource } from '../../src/cluster/kube-object.js';
import { startKubeSite, type KubeSite } from './kube-site.js';
import { ofKind, type Role } from './manifest-kinds.js';
import {
  applyOverlay,
  deleteOverlay,
  installOverlayKinds,
  isOpenshift,
  isSelfSigned,
  openshiftNamespaces,
  overlays,
  renderOverlay,
} from './overlay.js';
import { ruleKeys, type PolicyRule } from './policy-rule.js';

const wmco = 'openshift-windows-machine-config-operator';
/** Has no role at all. */
const bystander = {
  name: 'system:serviceaccount:mirrorgate:bystander',
  groups: ['system:serviceaccounts', 'system:serviceaccounts:mirrorgate'],
};

let site: KubeSite;
beforeAll(async () => {
  site = await startKubeSite({ namespaces: openshiftNamespaces, users: [bystander] });
  await site.installCrds('mirror-sets', 'images', 'infrastructures', 'openreports', 'wgpolicy');
  await installOverlayKinds(site);
});
afterAll(() => site.stop());

// The others differ in one field of the webhook alone.
describe.each(overlays.filter((overlay) => !overlay.endsWith('-fail')))(
  'the service account with overlay %s',
  (overlay) => {
    let client: KubeClient;
    let admin: KubeClient;
    beforeAll(async () => {
      await applyOverlay(site, overlay);
      client = await site.client(await site.kubeconfigFor('mirrorgate'));
      admin = await site.client();
    });
    afterAll(() => deleteOverlay(site, overlay));

    const forbidden = async (request: Promise<unknown>, what: string) => {
      const answer = await request.then(
        () => 'it was done',
        (error: unknown) => (isApiError(error, 'forbidden') ? error.code : error),
      );
      expect(answer, what).toBe('forbidden');
    };
    const named = (resource: ApiResource, name: string, namespace?: string) => ({
      apiVersion: resource.apiVersion,
      kind: resource.kind,
      metadata: namespace === undefined ? { name } : { name, namespace },
    });

    test('gives the service account what its roles say, and nothing more', async () => {
      const manifests = await renderOverlay(overlay);
      const kubeconfig = await site.kubeconfigFor('mirrorgate');
      const everybody = await site.kubeconfigFor(bystander.name);
      const clusterWide = ofKind<Role>(manifests, 'ClusterRole').flatMap(({ rules }) => rules);
      for (const namespace of ['mirrorgate', 'default', 'kube-system', ...openshiftNamespaces]) {
        const here = ofKind<Role>(manifests, 'Role')
          .filter(({ metadata }) => metadata.namespace === namespace)
          .flatMap(({ rules }) => rules);
        const expected = new Set([
          ...(await grants(everybody, namespace)),
          ...[...clusterWide, ...here].flatMap(ruleKeys),
        ]);
        expect([...(await grants(kubeconfig, namespace))].sort(), namespace).toEqual([...expected].sort());
      }
    });

    test('reads mirror sets, and the cluster configs by name alone; it changes none of them', async () => {
      for (const kind of [resources.imageDigestMirrorSets, resources.imageTagMirrorSets]) {
        await expect(client.list(kind)).resolves.toBeDefined();
        await forbidden(client.create(kind, named(kind, 'mine')), `create ${kind.plural}`);
        await forbidden(client.patch(kind, { name: 'mine' }, 'merge', {}), `patch ${kind.plural}`);
        await forbidden(client.remove(kind, { name: 'mine' }), `delete ${kind.plural}`);
      }
      for (const kind of [resources.images, resources.infrastructures]) {
        const { resourceVersion } = await client.list(kind, { name: 'cluster' });
        await client.watch(kind, { name: 'cluster' }, watchFor1s(resourceVersion));
        await expect(client.get(kind, { name: 'cluster' })).resolves.toBeUndefined();
        await forbidden(client.list(kind), `list all ${kind.plural}`);
        await forbidden(client.patch(kind, { name: 'cluster' }, 'merge', {}), `patch ${kind.plural}`);
      }
      const crd = resources.customResourceDefinitions;
      for (const kind of [
        resources.imageDigestMirrorSets,
        resources.imageTagMirrorSets,
        resources.images,
        resources.infrastructures,
        resources.openReports,
        resources.policyReports,
      ]) {
        const name = `${kind.plural}.${kind.apiVersion.split('/')[0] ?? ''}`;
        await expect(client.get(crd, { name }), name).resolves.toBeDefined();
      }
      await forbidden(client.list(crd), 'list all kinds');
    });

    test('writes condition and annotation of a node through its status, and nothing else of it', async () => {
      const { nodes } = resources;
      const name = `win-${overlay}`;
      await admin.create(nodes, { ...named(nodes, name), spec: { unschedulable: false } });
      await expect(client.list(nodes, { labelSelector: 'kubernetes.io/os=windows' })).resolves.toBeDefined();
      const condition = {
        type: 'MirrorConfigSynced',
        status: 'True',
        reason: 'Synced',
        message: 'in sync',
      };
      await client.patch(nodes, { name, subresource: 'status' }, 'strategic', {
        metadata: { annotations: { 'mirrorgate.dev/revision': 'abc' } },
        // A try at more than it may: the subresource leaves the spec alone.
        spec: { unschedulable: true },
        status: { conditions: [condition] },
      });
      const node = await admin.get(nodes, { name });
      expect(node?.metadata.annotations).toMatchObject({ 'mirrorgate.dev/revision': 'abc' });
      expect(node).toMatchObject({ status: { conditions: [condition] } });
      expect(node?.['spec']).not.toHaveProperty('unschedulable');
      await forbidden(
        client.patch(nodes, { name }, 'merge', { spec: { unschedulable: true } }),
        'patch the node',
      );
      await forbidden(client.remove(nodes, { name }), 'delete the node');
      await admin.remove(nodes, { name });
    });

    test('reads the Secrets and ConfigMaps that it is told of, by name, and no other', async () => {
      const { secrets, configMaps } = resources;
      const secretsOf: readonly (readonly [namespace: string, name: string])[] = isOpenshift(overlay)
        ? [
            ['openshift-config', 'pull-secret'],
            [wmco, 'cloud-private-key'],
          ]
        : [
            ['mirrorgate', 'pull-secret'],
            ['mirrorgate', 'ssh-key'],
          ];
      for (const [namespace, name] of secretsOf) {
        const { resourceVersion } = await client.list(secrets, { namespace, name });
        await client.watch(secrets, { namespace, name }, watchFor1s(resourceVersion));
        await forbidden(client.list(secrets, { namespace }), `list all Secrets of ${namespace}`);
        await forbidden(
          client.patch(secrets, { namespace, name }, 'merge', {}),
          `patch ${namespace}/${name}`,
        );
        await forbidden(client.get(secrets, { namespace, name: 'other' }), `get ${namespace}/other`);
      }
      for (const name of ['windows-instances', 'windows-ssh-host-keys']) {
        const get = client.get(configMaps, { namespace: wmco, name });
        if (isOpenshift(overlay)) await expect(get).resolves.toBeUndefined();
        else await forbidden(get, `get ${name}`);
      }
      await forbidden(
        client.get(secrets, { namespace: 'kube-system', name: 'pull-secret' }),
        'another namespace',
      );
      await forbidden(client.list(secrets), 'list Secrets everywhere');
    });

    test('keeps its Lease and its Secrets', async () => {
      const { leases, secrets } = resources;
      const namespace = 'mirrorgate';
      const own = [
        [leases, 'mirrorgate'],
        [secrets, 'mirrorgate-host-keys'],
        ...(isSelfSigned(overlay) ? [[secrets, 'mirrorgate-tls'] as const] : []),
      ] as const;
      for (const [kind, name] of own) {
        const created = await client.create(kind, named(kind, name, namespace));
        await client.replace(kind, { ...created, metadata: { ...created.metadata, labels: { a: 'b' } } });
        expect(await client.get(kind, { namespace, name }), name).toBeDefined();
        if (kind === secrets) await client.list(kind, { namespace, name });
        await forbidden(client.remove(kind, { namespace, name }), `delete ${name}`);
        await admin.remove(kind, { namespace, name });
      }
      const other = await admin.create(leases, named(leases, 'other', namespace));
      await forbidden(client.replace(leases, other), 'take another Lease');
      await admin.remove(leases, { namespace, name: 'other' });
      await forbidden(
        client.create(secrets, named(secrets, 'mine', 'default')),
        'a Secret in another namespace',
      );
      if (!isSelfSigned(overlay))
        await forbidden(client.get(secrets, { namespace, name: 'mirrorgate-tls' }), 'get mirrorgate-tls');
    });

    test('touches the webhook configuration only where it manages the certificate, and never makes one', async () => {
      const kind = resources.validatingWebhookConfigurations;
      const configuration = await admin.get(kind, { name: 'mirrorgate' });
      const update = client.replace(kind, {
        ...configuration!,
        metadata: {
          ...configuration!.metadata,
          labels: { ...configuration!.metadata.labels, a: 'b' },
        },
      });
      if (isSelfSigned(overlay)) {
        await expect(update).resolves.toBeDefined();
        const { resourceVersion } = await client.list(kind, { name: 'mirrorgate' });
        await client.watch(kind, { name: 'mirrorgate' }, watchFor1s(resourceVersion));
      } else await forbidden(update, 'update');
      await forbidden(
        client.replace(kind, { ...configuration!, metadata: { name: 'other' } }),
        'update another one',
      );
      await forbidden(client.create(kind, named(kind, 'mine')), 'create');
      await forbidden(client.remove(kind, { name: 'mirrorgate' }), 'delete');
    });

    test('writes Events into the namespace default alone, and reports', async () => {
      const { events, openReports, policyReports } = resources;
      const event = (namespace: string) => ({
        ...named(events, `trial-${overlay}`, namespace),
        reason: 'Synced',
        involvedObject: { apiVersion: 'v1', kind: 'Node', name: 'win-1', uid: 'win-1' },
        message: 'in sync',
        type: 'Normal',
      });
      await client.create(events, event('default'));
      await client.patch(events, { namespace: 'default', name: `trial-${overlay}` }, 'merge', {
        count: 2,
      });
      await forbidden(client.create(events, event('kube-system')), 'an Event elsewhere');
      for (const kind of [openReports, policyReports]) {
        const created = await client.create(kind, named(kind, 'trial'));
        await client.replace(kind, { ...created, metadata: { ...created.metadata, labels: { a: 'b' } } });
        await client.remove(kind, { name: 'trial' });
        expect(await client.get(kind, { name: 'trial' }), pathOf(kind)).toBeUndefined();
      }
    });
  },
);

/** What somebody may do in a namespace, as the server itself sees it: `verb group/resource[/name]`. */
async function grants(kubeconfig: string, namespace: string): Promise<Set<string>> {
  const { stdout } = await site.kubectl(
    ['create', '--raw', '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', '-f', '-'],
    {
      kubeconfig,
      input: JSON.stringify({
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectRulesReview',
        spec: { namespace },
      }),
    },
  );
  const { status } = JSON.parse(stdout) as {
    readonly status: { readonly incomplete: boolean; readonly resourceRules: readonly PolicyRule[] };
  };
  expect(status.incomplete).toBe(false);
  return new Set(status.resourceRules.flatMap(ruleKeys));
}

/** A watch that is allowed ends by itself after a second; one that is not rejects. */
function watchFor1s(resourceVersion: string) {
  return {
    resourceVersion,
    timeoutSeconds: 1,
    idleMs: 30_000,
    signal: AbortSignal.timeout(30_000),
    onEvent: () => undefined,
  };
}
