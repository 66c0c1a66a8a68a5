import { X509Certificate } from 'node:crypto';
import { readBundle } from '../../../src/serving/pem-bundle.js';

/**
 * Says why a client that trusts a bundle would refuse a server certificate at a moment, in ms since the epoch;
 * `undefined` when it would not.
 */
export function refusal(leafPem: string, bundle: string, now: number, host?: string): string | undefined {
  const leaf = new X509Certificate(leafPem);
  const issuer = readBundle(bundle)
    .certs.map((cert) => new X509Certificate(cert))
    .find((ca) => leaf.checkIssued(ca) && leaf.verify(ca.publicKey));
  if (issuer === undefined) return 'signed by an authority that is not trusted';
  for (const [what, certificate] of [
    ['certificate', leaf],
    ['authority', issuer],
  ] as const) {
    if (now < Date.parse(certificate.validFrom)) return `${what} not valid yet`;
    if (now >= Date.parse(certificate.validTo)) return `${what} expired`;
  }
  if (host !== undefined && leaf.checkHost(host) === undefined) return `not for ${host}`;
  return undefined;
}
