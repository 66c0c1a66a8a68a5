import { isIPv6 } from 'node:net';
import type { KubeObject } from './kube-object.js';

/** One line of ConfigMap `windows-instances`: a machine that WMCO is to make a Node, or has made one. */
export interface WindowsInstance {
  /** IPv4 address or DNS name, as written. */
  readonly address: string;
  readonly username: string | undefined;
  /** Why the line cannot be read; it has no username then. */
  readonly fault: string | undefined;
}

/** Reads the ConfigMap's data: key = address, value = `username=<name>`. */
export function readWindowsInstances(configMap: KubeObject | null): WindowsInstance[] {
  const data = configMap?.['data'];
  if (typeof data !== 'object' || data === null) return [];
  return Object.entries(data as Readonly<Record<string, unknown>>).map(([address, value]) => {
    const username =
      typeof value === 'string' ? /^username=([^\p{C}]*[^\s\p{C}])$/u.exec(value.trim())?.[1] : undefined;
    if (isIPv6(address)) return { address, username: undefined, fault: 'IPv6 addresses are not supported' };
    return { address, username, fault: username === undefined ? 'expected "username=<name>"' : undefined };
  });
}
