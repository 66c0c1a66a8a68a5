import { X509Certificate } from 'node:crypto';

/** The certificates of a PEM text. */
export interface PemBundle {
  /** Each once, in the one way that OpenSSL writes it, so that equal certificates are equal texts. */
  readonly certs: readonly string[];
  /** How many blocks hold no readable certificate. */
  readonly broken: number;
}

/** Reads whatever stands between the markers of a certificate; text around it means nothing. */
export function readBundle(pem: string): PemBundle {
  const certs = new Set<string>();
  let broken = 0;
  for (const [, body] of pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g)) {
    try {
      // Not as PEM: OpenSSL takes lines of some lengths only, other clients any.
      certs.add(new X509Certificate(Buffer.from(body ?? '', 'base64')).toString());
    } catch {
      broken += 1;
    }
  }
  return { certs: [...certs], broken };
}

/** A bundle as text, each certificate once. */
export function writeBundle(certs: readonly string[]): string {
  return [...new Set(certs)].join('');
}

/**
 * A certificate as OpenSSL writes it.
 *
 * @throws Error when it cannot be read
 */
export function canonicalCert(pem: string): string {
  return new X509Certificate(pem).toString();
}

/** Tells whether two bundles make a client trust the same authorities: order and text around them mean nothing. */
export function isSameBundle(a: string, b: string): boolean {
  const [one, other] = [new Set(readBundle(a).certs), new Set(readBundle(b).certs)];
  return one.size === other.size && [...one].every((cert) => other.has(cert));
}
