import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';

/** A certificate (with its chain, if any) and its private key, both PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export type CheckedKeyPair =
  | { readonly ok: true; readonly certificate: X509Certificate; readonly key: KeyObject }
  | {
      readonly ok: false;
      /** Which half is at fault; `pair` when each is sound but they do not belong together. */
      readonly part: 'cert' | 'key' | 'pair';
      /** Completes a sentence that starts with the file's name. Never quotes content. */
      readonly fault: string;
    };

/** Tells whether a TLS server could serve this pair: both halves parse, whole, and belong together. */
export function checkKeyPair(pair: KeyPair): CheckedKeyPair {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pair.cert);
  } catch {
    return { ok: false, part: 'cert', fault: 'holds no readable PEM certificate' };
  }

  let key: KeyObject;
  try {
    key = createPrivateKey(pair.key);
  } catch {
    return {
      ok: false,
      part: 'key',
      fault: isEncrypted(pair.key)
        ? 'is protected by a passphrase, which is not supported for TLS keys'
        : 'holds no readable PEM private key',
    };
  }

  if (!certificate.checkPrivateKey(key)) {
    return { ok: false, part: 'pair', fault: 'is not the private key of' };
  }
  try {
    // Reads the whole chain, as the server will: a file cut off in an intermediate certificate passes all of the above.
    createSecureContext({ cert: pair.cert, key: pair.key });
  } catch {
    return { ok: false, part: 'cert', fault: 'holds a certificate chain that TLS cannot use' };
  }
  return { ok: true, certificate, key };
}

/** By its PEM header: OpenSSL says no more than that it was interrupted. */
function isEncrypted(pem: string): boolean {
  return /^(?:-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED)/m.test(pem);
}

/** The end of a certificate's validity. */
export function expiryOf(certificate: X509Certificate): Date {
  return new Date(certificate.validTo);
}

/** Tells whether an authority has signed a certificate, whatever the dates of the two. */
export function wasIssuedBy(certificate: X509Certificate, ca: X509Certificate): boolean {
  return certificate.checkIssued(ca) && certificate.verify(ca.publicKey);
}

/** Tells whether a certificate is for a host: a DNS name, one with a leading `*.`, or an IP address. */
export function coversHost(certificate: X509Certificate, host: string): boolean {
  if (isIP(host) !== 0) return certificate.checkIP(host) !== undefined;
  // A wildcard is not a name that could be checked: it has to stand in the certificate as it is.
  if (host.startsWith('*.')) return (certificate.subjectAltName ?? '').split(', ').includes(`DNS:${host}`);
  return certificate.checkHost(host) !== undefined;
}
