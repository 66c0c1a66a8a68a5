import { isIP, isIPv6 } from 'node:net';

/** Where a server listens. */
export interface BindAddress {
  /** An IP address or host name; `undefined` means every interface, IPv6 and IPv4. */
  readonly host: string | undefined;
  /** 0 lets the operating system pick a free port. */
  readonly port: number;
}

export type ParsedBindAddress =
  { readonly ok: true; readonly address: BindAddress } | { readonly ok: false; readonly fault: string };

const forms = 'expected host:port, :port or [IPv6]:port, for example 127.0.0.1:8443';

/** Parses `host:port`, `:port` (every interface) and `[::1]:port`. */
export function parseBindAddress(text: string): ParsedBindAddress {
  const colon = text.lastIndexOf(':');
  if (colon === -1) return fault(text, `has no port; ${forms}`);

  const port = parsePort(text.slice(colon + 1));
  if (port === undefined) return fault(text, `needs a port from 0 to 65535 after the last colon; ${forms}`);

  const host = text.slice(0, colon);
  if (host === '') return { ok: true, address: { host: undefined, port } };
  if (host.startsWith('[') && host.endsWith(']')) {
    const inner = host.slice(1, -1);
    return isIPv6(inner)
      ? { ok: true, address: { host: inner, port } }
      : fault(text, `has something other than an IPv6 address in brackets; ${forms}`);
  }
  if (host.includes(':')) return fault(text, `has an IPv6 address without brackets or a scheme; ${forms}`);
  if (isIP(host) === 0 && !isHostName(host)) {
    return fault(text, `has a host that is neither an IP address nor a host name; ${forms}`);
  }
  return { ok: true, address: { host, port } };
}

/** The address as it is written on the command line: the inverse of `parseBindAddress`. */
export function formatBindAddress({ host, port }: BindAddress): string {
  if (host === undefined) return `:${port}`;
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

function parsePort(text: string): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65_535 ? port : undefined;
}

/** RFC 1123 labels. A last label of digits alone would be a malformed IPv4 address. */
export function isHostName(text: string): boolean {
  const labels = text.split('.');
  return (
    text.length <= 253 &&
    labels.every((label) => /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/.test(label)) &&
    !/^\d+$/.test(labels.at(-1) ?? '')
  );
}

function fault(text: string, problem: string): ParsedBindAddress {
  return { ok: false, fault: `"${text.slice(0, 80)}" ${problem}` };
}
