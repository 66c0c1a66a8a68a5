/** Pull plans: which endpoints a node contacts for one image, in order, and what each may do. */
import type { ImageReference } from './image-reference.js';
import { mostSpecificSource, type LinuxMirror } from './linux-view.js';
import type { MirrorSetIndex } from './mirror-set-index.js';
import { covers, registryOf, type Reference } from './reference.js';
import { registryDirectory } from './registry-directory.js';
import {
  registryConfig,
  type HostEntry,
  type Origin,
  type RegistryConfig,
  type ViewOptions,
} from './registry-view.js';
import { windowsNameFault } from './windows-name.js';

export interface PullPlan {
  readonly os: 'windows' | 'linux';
  readonly image: ImageReference;
  readonly endpoints: readonly Endpoint[];
  /** The source is forbidden; `endpoints` then has no endpoint with role `source`. */
  readonly sourceBlocked: boolean;
}

export interface Endpoint {
  /**
   * `mirror`; `source`: the registry that the image names; `fallback`: the first mirror once more, which containerd
   * has in the source's place when the source is forbidden.
   */
  readonly role: 'mirror' | 'source' | 'fallback';
  /** The repository that is asked for there. */
  readonly repository: Reference;
  /** May turn the image's tag into a digest. Without it the endpoint is passed over while a tag is resolved. */
  readonly resolve: boolean;
  /** May serve the content by digest. */
  readonly pull: boolean;
  /** The mirrors of entries that put the endpoint there; empty for the source. */
  readonly origins: readonly EndpointOrigin[];
}

export interface EndpointOrigin {
  readonly kind: Origin['kind'];
  readonly name: string;
  /** Field path of the mirror. */
  readonly path: string;
  /**
   * What the author of the entry asked for: the mirror with the image's remainder behind it. `undefined` when the
   * entry's source does not cover the image, and only the registry-wide effect on Windows brings it in.
   */
  readonly declared: Reference | undefined;
}

/** What a Windows node (containerd) does: every host entry of the registry, whatever its entry's source was. */
export function windowsPullPlan(
  index: MirrorSetIndex,
  image: ImageReference,
  options: ViewOptions,
): PullPlan {
  const { repository } = image;
  const config = configOnNode(index, repository, options);
  const mirrors = (config?.hosts ?? []).map((host) => windowsEndpoint(host, repository, 'mirror'));
  const sourceBlocked = config?.neverContact ?? false;
  const [first] = config?.hosts ?? [];
  const last = sourceBlocked
    ? first === undefined
      ? []
      : [windowsEndpoint(first, repository, 'fallback')]
    : [sourceEndpoint(repository)];
  return { os: 'windows', image, endpoints: [...mirrors, ...last], sourceBlocked };
}

/** What a Linux node (CRI-O) does: the most specific source that covers the image, its mirrors in place of it. */
export function linuxPullPlan(index: MirrorSetIndex, image: ImageReference): PullPlan {
  const { repository } = image;
  const match = mostSpecificSource(index, repository);
  const byDigest = image.digest !== undefined;
  const mirrors = (byDigest ? match?.digestMirrors : match?.tagMirrors) ?? [];
  const endpoints = mirrors.map((mirror) =>
    linuxEndpoint(mirror, match?.source ?? repository, repository, byDigest),
  );
  const sourceBlocked = match?.blocked ?? false;
  return {
    os: 'linux',
    image,
    endpoints: sourceBlocked ? endpoints : [...endpoints, sourceEndpoint(repository)],
    sourceBlocked,
  };
}

/** What a node knows of a registry: nothing, where Windows cannot have the directory that its file would be in. */
function configOnNode(
  index: MirrorSetIndex,
  repository: Reference,
  options: ViewOptions,
): RegistryConfig | undefined {
  if (windowsNameFault(registryDirectory(repository)) !== undefined) return undefined;
  return registryConfig(index, registryOf(repository), options);
}

function windowsEndpoint(host: HostEntry, repository: Reference, role: 'mirror' | 'fallback'): Endpoint {
  return {
    role,
    repository: { ...host.location, path: [...host.location.path, ...repository.path] },
    resolve: host.resolve,
    pull: true,
    origins: host.origins.map(({ kind, name, path, source, mirror }) => ({
      kind,
      name,
      path,
      declared: covers(source, repository) ? substitute(repository, source, mirror) : undefined,
    })),
  };
}

function linuxEndpoint(
  from: LinuxMirror,
  source: Reference,
  repository: Reference,
  byDigest: boolean,
): Endpoint {
  const { mirror, kind, name, path } = from;
  const asked = substitute(repository, source, mirror);
  return {
    role: 'mirror',
    repository: asked,
    resolve: !byDigest,
    pull: true,
    origins: [{ kind, name, path, declared: asked }],
  };
}

function sourceEndpoint(repository: Reference): Endpoint {
  return { role: 'source', repository, resolve: true, pull: true, origins: [] };
}

/** The image's name with the part that matches the source replaced by the mirror. */
function substitute(repository: Reference, source: Reference, mirror: Reference): Reference {
  return { ...mirror, path: [...mirror.path, ...repository.path.slice(source.path.length)] };
}
