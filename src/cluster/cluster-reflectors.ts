import type { ApiError } from './api-error.js';
import type { KubeClient, ListScope } from './kube-client.js';
import { resources, type ApiResource, type ObjectKey } from './kube-object.js';
import { formatKey, type NamedObject } from './object-source.js';
import { Reflector, type ReflectorOptions } from './reflector.js';

/** What cannot be done while a kind of objects is not known. */
export type ReflectorPurpose = 'judging' | 'distribution' | 'certificates' | 'reports';

export interface ClusterReflectorsConfig {
  /** The Secret with the private key for SSH. */
  readonly sshKey: ObjectKey;
  /** The Secret in which mirrorgate pins host keys. */
  readonly hostKeyPins: ObjectKey;
  /** WMCO's ConfigMap `windows-instances`. Absent: not looked at. */
  readonly instances?: ObjectKey | undefined;
  /** WMCO's ConfigMap `windows-ssh-host-keys`. Absent: not looked at. */
  readonly operatorPins?: ObjectKey | undefined;
  /** Absent: no credentials are rendered. */
  readonly pullSecret?: ObjectKey | undefined;
  /** Absent: certificates come from elsewhere. */
  readonly certificates?: { readonly secret: ObjectKey; readonly webhookConfiguration: string } | undefined;
  /** Whether reports on mirror sets are written. */
  readonly reports: boolean;
}

export interface ClusterReflectorsOptions extends Pick<ReflectorOptions, 'clock' | 'random' | 'timings'> {
  /** As a reflector's own, with what it is about: `Secret mirrorgate/mirrorgate-tls`. */
  readonly onFault: (what: string, fault: ApiError | undefined) => void;
}

/** A kind of objects that is not known yet. */
export interface Unsynced {
  /** `nodes`, or `Secret openshift-config/pull-secret`. */
  readonly what: string;
  readonly purposes: readonly ReflectorPurpose[];
  /** Why not; absent while nothing is known to be wrong. */
  readonly fault?: ApiError;
}

/** Everything of the cluster that mirrorgate follows. */
export interface ClusterReflectors {
  readonly digestSets: Reflector;
  readonly tagSets: Reflector;
  readonly images: Reflector;
  readonly nodes: Reflector;
  readonly infrastructures: Reflector;
  readonly sshKey: NamedObject;
  readonly hostKeyPins: NamedObject;
  readonly instances: NamedObject | undefined;
  readonly operatorPins: NamedObject | undefined;
  readonly pullSecret: NamedObject | undefined;
  readonly tlsSecret: NamedObject | undefined;
  readonly webhookConfiguration: NamedObject | undefined;
  /** The reports that mirrorgate has written, of each of the two kinds. */
  readonly openReports: Reflector | undefined;
  readonly policyReports: Reflector | undefined;
  start(): void;
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>;
  /** What is not known yet, in the order above; empty when all is. */
  unsynced(): readonly Unsynced[];
}

interface Followed {
  readonly what: string;
  readonly reflector: Reflector;
  readonly purposes: Set<ReflectorPurpose>;
}

const windowsNodes = 'kubernetes.io/os=windows';
const ownReports = 'app.kubernetes.io/managed-by=mirrorgate';
/** Cluster-wide settings of OpenShift are single objects of this name. */
const theCluster = 'cluster';

/**
 * Makes a reflector for each kind, with the least scope: Secrets and ConfigMaps by name, so that a Role with
 * `resourceNames` is enough. Nothing is asked before `start`.
 */
export function clusterReflectors(
  client: KubeClient,
  config: ClusterReflectorsConfig,
  { onFault, ...options }: ClusterReflectorsOptions,
): ClusterReflectors {
  const followed = new Map<string, Followed>();

  const follow = (resource: ApiResource, scope: ListScope, purpose: ReflectorPurpose): Reflector => {
    const { namespace, name } = scope;
    const what = name === undefined ? resource.plural : `${resource.kind} ${formatKey({ namespace, name })}`;
    // The same Secret may serve two ends.
    const known = followed.get(what);
    if (known !== undefined) {
      known.purposes.add(purpose);
      return known.reflector;
    }
    const reflector = new Reflector({
      ...options,
      client,
      resource,
      scope,
      onFault: (fault) => {
        onFault(what, fault);
      },
    });
    followed.set(what, { what, reflector, purposes: new Set([purpose]) });
    return reflector;
  };
  const followOne = (
    resource: ApiResource,
    key: ObjectKey | undefined,
    purpose: ReflectorPurpose,
  ): NamedObject | undefined => (key === undefined ? undefined : one(resource, key, purpose));
  const one = (resource: ApiResource, key: ObjectKey, purpose: ReflectorPurpose): NamedObject => ({
    objects: follow(resource, { namespace: key.namespace, name: key.name }, purpose),
    key,
  });
  const reports = (resource: ApiResource): Reflector | undefined =>
    config.reports ? follow(resource, { labelSelector: ownReports }, 'reports') : undefined;
  const { certificates } = config;

  return {
    digestSets: follow(resources.imageDigestMirrorSets, {}, 'judging'),
    tagSets: follow(resources.imageTagMirrorSets, {}, 'judging'),
    images: follow(resources.images, { name: theCluster }, 'judging'),
    nodes: follow(resources.nodes, { labelSelector: windowsNodes }, 'distribution'),
    infrastructures: follow(resources.infrastructures, { name: theCluster }, 'distribution'),
    sshKey: one(resources.secrets, config.sshKey, 'distribution'),
    hostKeyPins: one(resources.secrets, config.hostKeyPins, 'distribution'),
    instances: followOne(resources.configMaps, config.instances, 'distribution'),
    operatorPins: followOne(resources.configMaps, config.operatorPins, 'distribution'),
    pullSecret: followOne(resources.secrets, config.pullSecret, 'distribution'),
    tlsSecret: followOne(resources.secrets, certificates?.secret, 'certificates'),
    webhookConfiguration: followOne(
      resources.validatingWebhookConfigurations,
      certificates === undefined ? undefined : { name: certificates.webhookConfiguration },
      'certificates',
    ),
    openReports: reports(resources.openReports),
    policyReports: reports(resources.policyReports),

    start() {
      for (const { reflector } of followed.values()) reflector.start();
    },
    async stop() {
      await Promise.all([...followed.values()].map(({ reflector }) => reflector.stop()));
    },
    unsynced() {
      return [...followed.values()].flatMap(({ what, reflector, purposes }) => {
        const { synced, fault } = reflector.status();
        if (synced) return [];
        return [{ what, purposes: [...purposes], ...(fault !== undefined && { fault }) }];
      });
    },
  };
}
