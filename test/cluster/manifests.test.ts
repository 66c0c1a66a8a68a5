import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { parsePolicy } from '../../src/policy/policy-schema.js';
import { webhookName } from '../../src/sandbox/oc-output.js';
import {
  ofKind,
  theOnly,
  type Binding,
  type Container,
  type Deployment,
  type Labels,
  type Manifest,
  type PodSpec,
  type Role,
} from './manifest-kinds.js';
import { isOpenshift, isSelfSigned, openshiftNamespaces, overlays, renderOverlay } from './overlay.js';

const serviceAccount = { kind: 'ServiceAccount', name: 'mirrorgate', namespace: 'mirrorgate' };
const run = promisify(execFile);

test.each(overlays.filter((overlay) => overlay.endsWith('-fail')))(
  'overlay %s is its twin but for the failure policy',
  async (overlay) => {
    const failing = JSON.stringify(await renderOverlay(overlay));
    const twin = JSON.stringify(await renderOverlay(overlay.replace(/-fail$/, '')));
    expect(failing).toBe(twin.replace('"failurePolicy":"Ignore"', '"failurePolicy":"Fail"'));
  },
);

test('there is an overlay for every source of certificates, and one of each that fails closed', () => {
  expect(overlays).toEqual([
    'cert-manager',
    'cert-manager-fail',
    'openshift',
    'openshift-fail',
    'self-signed',
    'self-signed-fail',
  ]);
});

describe.each(overlays)('overlay %s', (overlay) => {
  let manifests: readonly Manifest[];
  let deployment: Deployment;
  let pod: PodSpec;
  let container: Container;
  beforeAll(async () => {
    manifests = await renderOverlay(overlay);
    deployment = theOnly(ofKind<Deployment>(manifests, 'Deployment'));
    pod = deployment.spec.template.spec;
    container = theOnly(pod.containers);
  });

  test('has no object twice, and none in a namespace of others but the roles for what lies there', () => {
    const ids = manifests.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`);
    expect(new Set(ids).size).toBe(ids.length);
    const elsewhere = ids.filter((id) => !/ (mirrorgate)?\//.test(id));
    expect(elsewhere.sort()).toEqual(
      [
        'Role default/mirrorgate-events',
        'RoleBinding default/mirrorgate-events',
        ...(isOpenshift(overlay) ? openshiftNamespaces : []).flatMap((namespace) => [
          `Role ${namespace}/mirrorgate`,
          `RoleBinding ${namespace}/mirrorgate`,
        ]),
      ].sort(),
    );
  });

  test('grants no wildcard, and Secrets and ConfigMaps by name alone', () => {
    const roles = ofKind<Role>(manifests, 'Role', 'ClusterRole');
    expect(roles.length).toBeGreaterThan(2);
    for (const rule of roles.flatMap(({ rules }) => rules)) {
      expect(JSON.stringify(rule)).not.toContain('*');
      expect(rule.resources.length).toBeGreaterThan(0);
      const isNamed = (rule.resourceNames ?? []).length > 0;
      if (rule.resources.some((resource) => resource === 'secrets' || resource === 'configmaps'))
        expect(isNamed || rule.verbs.join() === 'create', JSON.stringify(rule)).toBe(true);
    }
    for (const rule of ofKind<Role>(manifests, 'ClusterRole').flatMap(({ rules }) => rules)) {
      expect(rule.resources).not.toContain('secrets');
      expect(rule.resources).not.toContain('configmaps');
    }
  });

  test('binds every role to its service account and to nobody else', () => {
    const roles = ofKind<Role>(manifests, 'Role', 'ClusterRole');
    const bindings = ofKind<Binding>(manifests, 'RoleBinding', 'ClusterRoleBinding');
    const place = (kind: string, { namespace, name }: Manifest['metadata']) =>
      `${kind} ${namespace ?? ''}/${name}`;
    expect(
      bindings
        .map(({ metadata, roleRef }) => place(roleRef.kind, { ...metadata, name: roleRef.name }))
        .sort(),
    ).toEqual(roles.map(({ kind, metadata }) => place(kind, metadata)).sort());
    for (const { subjects } of bindings) expect(subjects).toEqual([serviceAccount]);
  });

  test('registers the webhook with exactly these fields', () => {
    const { webhooks, metadata } = theOnly(ofKind(manifests, 'ValidatingWebhookConfiguration'));
    expect(metadata.name).toBe('mirrorgate');
    expect(metadata.annotations).toEqual(
      isOpenshift(overlay)
        ? { 'service.beta.openshift.io/inject-cabundle': 'true' }
        : isSelfSigned(overlay)
          ? undefined
          : { 'cert-manager.io/inject-ca-from': 'mirrorgate/mirrorgate' },
    );
    expect(webhooks).toEqual([
      {
        name: webhookName,
        clientConfig: {
          service: { name: 'mirrorgate', namespace: 'mirrorgate', path: '/validate/mirror-sets', port: 443 },
        },
        rules: [
          {
            apiGroups: ['config.openshift.io'],
            apiVersions: ['v1'],
            operations: ['CREATE', 'UPDATE', 'DELETE'],
            resources: ['imagedigestmirrorsets', 'imagetagmirrorsets'],
            scope: 'Cluster',
          },
        ],
        failurePolicy: overlay.endsWith('-fail') ? 'Fail' : 'Ignore',
        matchPolicy: 'Equivalent',
        timeoutSeconds: 5,
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
    ]);
  });

  test('locks the pod down as the restricted Pod Security Standard and the restricted-v2 SCC ask', () => {
    expect(pod['securityContext']).toEqual({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(container['securityContext']).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      readOnlyRootFilesystem: true,
    });
    for (const field of ['hostNetwork', 'hostPID', 'hostIPC', 'initContainers'])
      expect(pod[field]).toBeUndefined();
    for (const { configMap, secret } of pod.volumes) expect(configMap ?? secret).toBeDefined();
    for (const { readOnly } of container.volumeMounts) expect(readOnly).toBe(true);
    const { labels } = theOnly(ofKind(manifests, 'Namespace')).metadata;
    expect(labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
  });

  test('is never without a replica that answers', () => {
    expect(deployment.spec.replicas).toBe(2);
    expect(deployment.spec.strategy).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxSurge: 1, maxUnavailable: 0 },
    });
    const [budget] = ofKind(manifests, 'PodDisruptionBudget');
    expect(budget).toMatchObject({ apiVersion: 'policy/v1', spec: { minAvailable: 1 } });
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
      expect(container[probe]).toBeDefined();
    // Longer than it goes on answering (10 s), and than it waits for what is under way (25 s).
    expect(pod['terminationGracePeriodSeconds']).toBeGreaterThan(35);
    expect(pod['topologySpreadConstraints']).toMatchObject([
      { topologyKey: 'kubernetes.io/hostname' },
      { topologyKey: 'topology.kubernetes.io/zone' },
    ]);
    expect(pod['nodeSelector']).toEqual({ 'kubernetes.io/os': 'linux' });
    expect(container['resources']).toMatchObject({ requests: { cpu: '50m' }, limits: { memory: '512Mi' } });
  });

  test('selects its own pods by labels that they have, and leads to ports that they have', () => {
    const { labels } = deployment.spec.template.metadata;
    const selectors = JSON.stringify([
      deployment.spec.selector,
      ...ofKind(manifests, 'PodDisruptionBudget', 'NetworkPolicy').map(({ spec }) => spec),
      pod['topologySpreadConstraints'],
    ]).matchAll(/"matchLabels":(\{.*?\})/g);
    const own = [...selectors]
      .map(([, text = '']) => JSON.parse(text) as Labels)
      .filter((selector) => selector['network.openshift.io/policy-group'] === undefined);
    expect(own).toHaveLength(5);
    for (const selector of own) expect(labels).toMatchObject(selector);

    const service = theOnly(ofKind(manifests, 'Service'));
    const { selector, ports } = service['spec'] as {
      readonly selector: Labels;
      readonly ports: readonly {
        readonly name: string;
        readonly port: number;
        readonly targetPort: string;
      }[];
    };
    expect(labels).toMatchObject(selector);
    expect(ports.map(({ name, port, targetPort }) => [name, port, targetPort])).toEqual([
      ['webhook', 443, 'webhook'],
      ['metrics', 8080, 'metrics'],
    ]);
    expect(container.ports.map(({ name, containerPort }) => [name, containerPort])).toEqual([
      ['webhook', 8443],
      ['metrics', 8080],
    ]);
  });

  test('mounts what it brings, and whole folders, so that changes arrive', () => {
    const mounted = new Map(container.volumeMounts.map(({ name, mountPath }) => [name, mountPath]));
    expect(JSON.stringify(container.volumeMounts)).not.toContain('subPath');
    const [policy, servingCert] = pod.volumes;
    expect(policy).toEqual({ name: 'policy', configMap: { name: 'mirrorgate-policy' } });
    expect(mounted.get('policy')).toBe('/etc/mirrorgate/policy');
    const data = theOnly(ofKind(manifests, 'ConfigMap'))['data'] as Record<string, string>;
    expect(Object.keys(data)).toEqual(['policy.yaml']);
    expect(parsePolicy(data['policy.yaml'] ?? '')).toMatchObject({
      ok: true,
      policy: { profile: 'baseline' },
    });

    if (isSelfSigned(overlay)) {
      expect(pod.volumes).toHaveLength(1);
      return;
    }
    const secretName = servingCert?.secret?.secretName ?? '';
    expect(mounted.get(servingCert?.name ?? '')).toBe('/etc/mirrorgate/tls');
    const issued = isOpenshift(overlay)
      ? theOnly(ofKind(manifests, 'Service')).metadata.annotations?.[
          'service.beta.openshift.io/serving-cert-secret-name'
        ]
      : ofKind<Manifest & { readonly spec: { readonly secretName: string } }>(manifests, 'Certificate').find(
          ({ metadata }) => metadata.name === 'mirrorgate',
        )?.spec.secretName;
    expect(secretName).toBe(issued);
  });

  test('starts mirrorgate with flags that it has', async () => {
    const { main } = inject('mirrorgate');
    // With --help nothing is started, and a flag or value that it does not take is an error all the same.
    const { stdout } = await run(process.execPath, [main, 'serve', '--help']);
    const [command, ...flags] = container.args;
    expect(command).toBe('serve');
    for (const flag of flags) expect(stdout).toContain(` ${flag.slice(0, flag.indexOf('='))} <`);
    const files = isSelfSigned(overlay)
      ? []
      : ['--tls-cert=/etc/mirrorgate/tls/tls.crt', '--tls-key=/etc/mirrorgate/tls/tls.key'];
    const sources = isOpenshift(overlay)
      ? []
      : [
          '--pull-secret=mirrorgate/pull-secret',
          '--ssh-key=mirrorgate/ssh-key',
          '--windows-instances=none',
          '--wmco-host-keys=none',
        ];
    expect([...flags].sort()).toEqual(
      [
        '--metrics-bind=0.0.0.0:8080',
        '--policy=/etc/mirrorgate/policy/policy.yaml',
        ...files,
        ...sources,
      ].sort(),
    );
    expect(container.image).toMatch(/^mirrorgate:\d/);
  });
});
