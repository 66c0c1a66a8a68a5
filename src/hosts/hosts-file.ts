/** The meaning of one `hosts.toml`, as containerd reads it: a fallback and host entries, with credentials and TLS settled. */
import type { InsecureRegistries } from '../mirrors/insecure-registries.js';
import { apiRegistryOf } from '../mirrors/naming.js';
import type { Reference } from '../mirrors/reference.js';
import type { HostEntry, RegistryConfig } from '../mirrors/registry-view.js';
import type { PullSecret } from './pull-secret.js';

export interface HostsFile {
  /** What containerd tries last, in the source's place: the root keys of the file. */
  readonly fallback: HostTable;
  /** Tried in this order; never empty, since containerd before 2.x ignores a file without a host entry. */
  readonly hosts: readonly HostTable[];
}

/** One place to ask. */
export interface HostTable {
  /** `https://registry/v2[/prefix]`; `http` only with {@link skipVerify}. */
  readonly url: string;
  /** `undefined` (fallback only) means that it may do everything. */
  readonly capabilities: readonly Capability[] | undefined;
  /**
   * Written as `skip_verify`. Together with an `http` address containerd 1.7 and later try unverified TLS first and then
   * plain HTTP, which is what an insecure registry means on Linux.
   */
  readonly skipVerify: boolean;
  /** The value of the `Authorization` header. */
  readonly authorization: string | undefined;
}

export type Capability = 'pull' | 'resolve';

export interface HostsFileOptions {
  readonly credentials: PullSecret;
  readonly insecure: InsecureRegistries;
}

/**
 * Where a registry that must not be contacted, and has no mirror to go to, is sent: the domain `invalid` never resolves
 * (RFC 6761). Without `resolve` a tag fails at once; a digest fails at the name look-up.
 */
const nowhere: HostTable = {
  url: 'https://mirrorgate.invalid/v2',
  capabilities: ['pull'],
  skipVerify: false,
  authorization: undefined,
};

/** What the config's file says; `undefined` when it needs none, because containerd then goes to the source anyway. */
export function hostsFile(config: RegistryConfig, options: HostsFileOptions): HostsFile | undefined {
  const hosts = config.hosts.map((host) => mirrorTable(host, options));
  const [first] = hosts;
  if (!config.neverContact) {
    return first === undefined ? undefined : { fallback: sourceTable(config.registry, options), hosts };
  }
  // The fallback must name something, or containerd takes the source; and it may do no more than the entry it repeats,
  // or a tag would be resolved at a mirror that is for digests.
  return { fallback: first ?? nowhere, hosts: first === undefined ? [nowhere] : hosts };
}

function mirrorTable(host: HostEntry, options: HostsFileOptions): HostTable {
  return {
    ...table(host.location, options),
    capabilities: host.resolve ? ['pull', 'resolve'] : ['pull'],
  };
}

/**
 * The source registry itself. Its credential must cover the whole registry: the header goes with requests for all of its
 * images, and a key for one namespace was not given for the others.
 */
function sourceTable(registry: Reference, options: HostsFileOptions): HostTable {
  return { ...table(registry, options), capabilities: undefined };
}

function table(location: Reference, options: HostsFileOptions): Omit<HostTable, 'capabilities'> {
  const insecure = options.insecure.includes(location);
  const address = [apiRegistryOf(location), 'v2', ...location.path].join('/');
  return {
    url: `${insecure ? 'http' : 'https'}://${address}`,
    skipVerify: insecure,
    authorization: options.credentials.credentialFor(location),
  };
}
