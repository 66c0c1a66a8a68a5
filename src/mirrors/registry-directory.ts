import type { Reference } from './reference.js';

/**
 * The directory below the registries root that holds a registry's `hosts.toml`: `host`, or `host_port_`, which is what
 * containerd looks up first on Windows, where a name cannot hold `:`.
 *
 * Two registries never share a directory, case-insensitive file systems included: hosts are lower case and have no
 * `_`, and a port is digits, so the text names host and port again.
 */
export function registryDirectory(registry: Reference): string {
  return registry.port === undefined ? registry.host : `${registry.host}_${registry.port}_`;
}
