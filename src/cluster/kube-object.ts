/** What all objects of the API have in common; every other field is for whoever knows the kind. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid?: string;
  readonly resourceVersion?: string | undefined;
  readonly generation?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly [field: string]: unknown;
}

/** A kind of object, as the API names it in paths and in objects. */
export interface ApiResource {
  /** `v1`, or `group/version`. */
  readonly apiVersion: string;
  readonly kind: string;
  /** Lower case, as in the path. */
  readonly plural: string;
}

/** One object: `namespace` is absent for kinds that live in none. */
export interface ObjectKey {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** Every kind that mirrorgate asks the API server about. */
export const resources = {
  imageDigestMirrorSets: {
    apiVersion: 'config.openshift.io/v1',
    kind: 'ImageDigestMirrorSet',
    plural: 'imagedigestmirrorsets',
  },
  imageTagMirrorSets: {
    apiVersion: 'config.openshift.io/v1',
    kind: 'ImageTagMirrorSet',
    plural: 'imagetagmirrorsets',
  },
  images: { apiVersion: 'config.openshift.io/v1', kind: 'Image', plural: 'images' },
  infrastructures: {
    apiVersion: 'config.openshift.io/v1',
    kind: 'Infrastructure',
    plural: 'infrastructures',
  },
  nodes: { apiVersion: 'v1', kind: 'Node', plural: 'nodes' },
  secrets: { apiVersion: 'v1', kind: 'Secret', plural: 'secrets' },
  configMaps: { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' },
  leases: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases' },
  events: { apiVersion: 'v1', kind: 'Event', plural: 'events' },
  customResourceDefinitions: {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    plural: 'customresourcedefinitions',
  },
  validatingWebhookConfigurations: {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    plural: 'validatingwebhookconfigurations',
  },
  openReports: { apiVersion: 'openreports.io/v1alpha1', kind: 'ClusterReport', plural: 'clusterreports' },
  policyReports: {
    apiVersion: 'wgpolicyk8s.io/v1alpha2',
    kind: 'ClusterPolicyReport',
    plural: 'clusterpolicyreports',
  },
} as const satisfies Record<string, ApiResource>;

/** The API path of a kind, of one object, or of its subresource. */
export function pathOf(
  { apiVersion, plural }: ApiResource,
  { namespace, name, subresource }: Partial<ObjectKey> & { readonly subresource?: string | undefined } = {},
): string {
  const parts = [apiVersion === 'v1' ? 'api/v1' : `apis/${apiVersion}`];
  if (namespace !== undefined) parts.push('namespaces', encodeURIComponent(namespace));
  parts.push(plural);
  if (name !== undefined) parts.push(encodeURIComponent(name));
  if (subresource !== undefined) parts.push(subresource);
  return `/${parts.join('/')}`;
}

/** The group of a kind; empty for the core group. */
export function groupOf({ apiVersion }: ApiResource): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}
