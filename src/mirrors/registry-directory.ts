import type { Reference } from './reference.js';

/**
 * The directory that holds a registry's `hosts.toml`: the host, or `host_port_` with a port. That is what containerd
 * looks up first on Windows, where a name cannot hold a colon, and it is valid on Linux too.
 */
export function registryDirectory(registry: Pick<Reference, 'host' | 'port'>): string {
  return registry.port === undefined ? registry.host : `${registry.host}_${registry.port}_`;
}
