import { X509Certificate } from 'node:crypto';
import { expiryOf, type KeyPair } from './key-pair.js';
import { writeBundle } from './pem-bundle.js';
import { clockSkewMs } from './self-signed.js';

/** An authority that signs no more, but is still trusted for the sake of what it has signed. */
export interface RetiredCa {
  readonly cert: string;
  /** In ms since the epoch: no certificate that it signed is valid after that. */
  readonly until: number;
}

/** All that replicas share to serve TLS on their own authority. Secret material. Certificates are canonical PEM. */
export interface CertState {
  /** The authority that signs. */
  readonly ca: KeyPair;
  /** The authority that will sign: clients are told of it before anything is signed by it. */
  readonly next: KeyPair | undefined;
  /** The newest first. */
  readonly retired: readonly RetiredCa[];
  /** What is served; signed by `ca`. */
  readonly leaf: KeyPair;
}

/** How long new certificates live, in ms. */
export interface CertLives {
  readonly ca: number;
  readonly leaf: number;
}

const day = 86_400_000;

export const defaultCertLives: CertLives = { ca: 5 * 365 * day, leaf: 90 * day };

/** The authorities that clients have to trust, the newest first, as PEM text. */
export function bundleOf({ ca, next, retired }: CertState): string {
  return writeBundle([
    ...(next === undefined ? [] : [next.cert]),
    ca.cert,
    ...retired.map(({ cert }) => cert),
  ]);
}

/** Points in a certificate's life, in ms since the epoch. */
export interface CertLife {
  /** Two thirds of its life are over: time for another one. */
  readonly due: number;
  /** A client whose clock is ahead may already refuse it. */
  readonly spent: number;
  readonly end: number;
}

/** A life is counted from when the certificate was issued, which is later than when its validity begins. */
export function lifeOf(cert: string): CertLife {
  const certificate = new X509Certificate(cert);
  const end = expiryOf(certificate).getTime();
  const issued = new Date(certificate.validFrom).getTime() + clockSkewMs;
  const life = Math.max(0, end - issued);
  return { due: end - life / 3, spent: end - Math.min(clockSkewMs, life / 10), end };
}
