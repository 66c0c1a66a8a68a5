import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { isHostName } from './bind-address.js';
import { expiryOf, type KeyPair } from './key-pair.js';
import { ServingError } from './serving-error.js';

/** A certificate authority for development and a server certificate signed by it; all PEM. */
export interface SelfSigned {
  readonly caCert: string;
  readonly caKey: string;
  readonly cert: string;
  readonly key: string;
}

export interface SelfSignedOptions {
  readonly now: Date;
  /** DNS names (a leading `*.` is allowed) and IP addresses that the server certificate is for. */
  readonly hosts: readonly string[];
  /** Default 3650. */
  readonly caValidityDays?: number;
  /** Default 365. The server certificate never outlives its authority. */
  readonly leafValidityDays?: number;
}

export interface CaOptions {
  readonly now: Date;
  /** In ms, from `now`. */
  readonly lifeMs: number;
  /** The first words of its name; a random number follows. */
  readonly name: string;
}

export interface LeafOptions {
  readonly now: Date;
  readonly hosts: readonly string[];
  readonly ca: KeyPair;
  /** In ms, from `now`; never longer than that of the authority. Default 365 days. */
  readonly lifeMs?: number;
}

const minute = 60_000;
const day = 24 * 60 * minute;
/** Certificates are valid from a little earlier than they are issued, in ms, for clients whose clocks are behind. */
export const clockSkewMs = 5 * minute;

/**
 * Makes a certificate authority and a server certificate: ECDSA P-256, SHA-256.
 *
 * @throws ServingError `HOST_INVALID`
 */
export async function createSelfSigned(options: SelfSignedOptions): Promise<SelfSigned> {
  const { now, hosts } = options;
  requireHosts(hosts);
  const ca = await createCa({
    now,
    lifeMs: (options.caValidityDays ?? 3650) * day,
    name: 'mirrorgate development CA',
  });
  const leaf = await issueLeaf({ now, hosts, ca, lifeMs: (options.leafValidityDays ?? 365) * day });
  return { caCert: ca.cert, caKey: ca.key, cert: leaf.cert, key: leaf.key };
}

/**
 * Issues a server certificate, with a new key of the authority's kind, under an existing authority.
 *
 * @throws ServingError `HOST_INVALID`
 */
export async function issueLeaf({ now, hosts, ca, lifeMs = 365 * day }: LeafOptions): Promise<KeyPair> {
  const altNames = altNamesOf(hosts);
  const caExpiry = expiryOf(new X509Certificate(ca.cert));
  const notAfter = new Date(Math.min(now.getTime() + lifeMs, caExpiry.getTime()));
  // selfsigned signs with the scheme of the new key: the two keys have to be of one kind.
  const keyType = createPrivateKey(ca.key).asymmetricKeyType === 'rsa' ? 'rsa' : 'ec';

  const { generate } = await import('selfsigned');
  const made = await generate([{ name: 'commonName', value: 'mirrorgate' }], {
    keyType,
    algorithm: 'sha256',
    notBeforeDate: new Date(now.getTime() - clockSkewMs),
    notAfterDate: notAfter,
    ca: { cert: ca.cert, key: ca.key },
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyEncipherment: keyType === 'rsa', critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames },
    ],
  });
  return { cert: line(made.cert), key: line(made.private) };
}

/** Makes a certificate authority that signs server certificates and no further authorities: ECDSA P-256, SHA-256. */
export async function createCa({ now, lifeMs, name }: CaOptions): Promise<KeyPair> {
  // A name of its own tells one authority from the next in a trust store.
  const commonName = `${name} ${randomBytes(4).toString('hex')}`;
  // Loaded on use: it takes longer to load than most commands take to run.
  const { generate } = await import('selfsigned');
  const made = await generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(now.getTime() - clockSkewMs),
    notAfterDate: new Date(now.getTime() + lifeMs),
    extensions: [
      { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return { cert: line(made.cert), key: line(made.private) };
}

/** @throws ServingError `HOST_INVALID` when a server certificate cannot be for these hosts */
export function requireHosts(hosts: readonly string[]): void {
  altNamesOf(hosts);
}

type AltName = { readonly type: 2; readonly value: string } | { readonly type: 7; readonly ip: string };

function altNamesOf(hosts: readonly string[]): AltName[] {
  const names = [...new Set(hosts)].map((host): AltName => {
    if (isIP(host) !== 0) return { type: 7, ip: host };
    if (isHostName(host.startsWith('*.') ? host.slice(2) : host)) return { type: 2, value: host };
    throw new ServingError(
      'HOST_INVALID',
      `"${host.slice(0, 80)}" is neither a DNS name nor an IP address`,
      'name hosts without scheme, port or brackets, for example localhost or 127.0.0.1',
    );
  });
  if (names.length === 0) {
    throw new ServingError('HOST_INVALID', 'a server certificate needs at least one host', 'name localhost');
  }
  return names;
}

function line(pem: string): string {
  return pem.endsWith('\n') ? pem : `${pem}\n`;
}
