import { createPrivateKey, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { bundleOf, type CertState, type RetiredCa } from './cert-state.js';
import { checkKeyPair, wasIssuedBy } from './key-pair.js';
import { readBundle } from './pem-bundle.js';

/**
 * What a Secret of type `kubernetes.io/tls` holds for the replicas: `tls.crt`, `tls.key` and the bundle `ca.crt` mean
 * what they always mean there. Which authority of the bundle signs, and which is next, follows from the keys `ca.key` and
 * `next-ca.key`; `retired.json` maps the SHA-256 fingerprint of each other one to the date until which it is kept.
 * Every key is always there; empty where there is nothing to say. Secret material.
 */
export type CertData = Readonly<Record<(typeof certDataKeys)[number], string>>;

export const certDataKeys = [
  'tls.crt',
  'tls.key',
  'ca.crt',
  'ca.key',
  'next-ca.key',
  'retired.json',
] as const;

export type ParsedCertData =
  /** None of the keys holds anything: a Secret that waits to be filled. */
  | { readonly kind: 'empty' }
  | {
      readonly kind: 'unusable';
      /** One line that names the key; never quotes content. */
      readonly reason: string;
      /** The certificate authorities in `ca.crt`, as far as they can be read. */
      readonly authorities: readonly string[];
    }
  | { readonly kind: 'sound'; readonly state: CertState };

const retiredSchema = z.record(z.string(), z.iso.datetime());

export function certDataOf(state: CertState): CertData {
  const retired = state.retired.map(({ cert, until }) => [
    fingerprintOf(cert),
    new Date(until).toISOString(),
  ]);
  return {
    'tls.crt': state.leaf.cert,
    'tls.key': state.leaf.key,
    'ca.crt': bundleOf(state),
    'ca.key': state.ca.key,
    'next-ca.key': state.next?.key ?? '',
    'retired.json': JSON.stringify(Object.fromEntries(retired)),
  };
}

/** Reads what a Secret holds. Dates are not looked at: expired certificates are sound, and renewed. */
export function parseCertData(data: Readonly<Record<string, string>>): ParsedCertData {
  const text = (key: keyof CertData): string => data[key] ?? '';
  if (certDataKeys.every((key) => text(key) === '')) return { kind: 'empty' };

  const bundle = readBundle(text('ca.crt'));
  const authorities = bundle.certs.filter((cert) => new X509Certificate(cert).ca);
  const unusable = (reason: string): ParsedCertData => ({ kind: 'unusable', reason, authorities });

  const missing = (['tls.crt', 'tls.key', 'ca.crt', 'ca.key'] as const).find((key) => text(key) === '');
  if (missing !== undefined) return unusable(`${missing} is missing`);
  if (bundle.broken > 0 || bundle.certs.length === 0)
    return unusable('ca.crt holds no readable PEM certificates');
  if (authorities.length < bundle.certs.length)
    return unusable('ca.crt holds a certificate that is no authority');

  const leaf = checkKeyPair({ cert: text('tls.crt'), key: text('tls.key') });
  if (!leaf.ok) {
    return unusable(
      leaf.part === 'pair'
        ? `tls.key ${leaf.fault} tls.crt`
        : `${leaf.part === 'cert' ? 'tls.crt' : 'tls.key'} ${leaf.fault}`,
    );
  }

  const ca = ownerOf(text('ca.key'), authorities);
  if (ca === undefined) return unusable('ca.key is not the private key of an authority in ca.crt');
  if (!wasIssuedBy(leaf.certificate, new X509Certificate(ca)))
    return unusable('tls.crt is not signed by the authority of ca.key');

  const nextKey = text('next-ca.key');
  const next = nextKey === '' ? undefined : ownerOf(nextKey, authorities);
  if (nextKey !== '' && (next === undefined || next === ca))
    return unusable('next-ca.key is not the private key of another authority in ca.crt');

  const others = authorities.filter((cert) => cert !== ca && cert !== next);
  const retired = parseRetired(text('retired.json'), others);
  if (retired === undefined)
    return unusable('retired.json does not say until when each further authority in ca.crt is kept');

  return {
    kind: 'sound',
    state: {
      ca: { cert: ca, key: text('ca.key') },
      next: next === undefined ? undefined : { cert: next, key: nextKey },
      retired,
      leaf: { cert: text('tls.crt'), key: text('tls.key') },
    },
  };
}

/** The certificate that a private key belongs to. */
function ownerOf(keyPem: string, certs: readonly string[]): string | undefined {
  try {
    const key = createPrivateKey(keyPem);
    return certs.find((cert) => new X509Certificate(cert).checkPrivateKey(key));
  } catch {
    return undefined;
  }
}

function parseRetired(json: string, certs: readonly string[]): RetiredCa[] | undefined {
  if (certs.length === 0) return [];
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  const dates = retiredSchema.safeParse(value);
  if (!dates.success) return undefined;
  const retired: RetiredCa[] = [];
  for (const cert of certs) {
    const until = dates.data[fingerprintOf(cert)];
    if (until === undefined) return undefined;
    retired.push({ cert, until: Date.parse(until) });
  }
  return retired;
}

function fingerprintOf(cert: string): string {
  return new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase();
}
