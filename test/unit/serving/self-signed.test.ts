import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createSelfSigned, issueLeaf } from '../../../src/serving/self-signed.js';

const now = new Date('2031-05-06T07:08:09Z');
const hosts = ['localhost', '*.gate.example', '127.0.0.1', '::1'];

describe('createSelfSigned', () => {
  it('makes an authority that signs nothing but servers, and a leaf it signed', async () => {
    const made = await createSelfSigned({ now, hosts });
    const ca = new X509Certificate(made.caCert);
    const leaf = new X509Certificate(made.cert);

    expect(ca.ca).toBe(true);
    expect(ca.verify(ca.publicKey)).toBe(true);
    expect(ca.checkPrivateKey(createPrivateKey(made.caKey))).toBe(true);
    expect(leaf.ca).toBe(false);
    expect(leaf.checkIssued(ca)).toBe(true);
    expect(leaf.verify(ca.publicKey)).toBe(true);
    expect(leaf.checkPrivateKey(createPrivateKey(made.key))).toBe(true);
    expect(leaf.subject).not.toBe(ca.subject);
    // Server authentication (RFC 5280, section 4.2.1.12) and nothing else.
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  });

  it('signs with SHA-256 and elliptic curves', async () => {
    const { caCert, cert } = await createSelfSigned({ now, hosts });
    for (const pem of [caCert, cert]) {
      const certificate = new X509Certificate(pem);
      expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
      // The object identifier of ecdsa-with-SHA256 (RFC 5758), in DER.
      expect(certificate.raw.includes(Buffer.from('06082a8648ce3d040302', 'hex'))).toBe(true);
    }
  });

  it('is for every host it was asked for and for no other', async () => {
    const leaf = new X509Certificate((await createSelfSigned({ now, hosts })).cert);
    expect(leaf.checkHost('localhost')).toBe('localhost');
    expect(leaf.checkHost('a.gate.example')).toBe('*.gate.example');
    expect(leaf.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(leaf.checkIP('::1')).toBe('::1');
    expect(leaf.checkHost('other.example')).toBeUndefined();
    expect(leaf.checkIP('127.0.0.2')).toBeUndefined();
  });

  it('is valid from five minutes ago: ten years for the authority, one for the leaf', async () => {
    const { caCert, cert } = await createSelfSigned({ now, hosts });
    const [ca, leaf] = [new X509Certificate(caCert), new X509Certificate(cert)];
    for (const certificate of [ca, leaf])
      expect(new Date(certificate.validFrom)).toEqual(new Date('2031-05-06T07:03:09Z'));
    expect(new Date(leaf.validTo)).toEqual(new Date('2032-05-05T07:08:09Z'));
    expect(new Date(ca.validTo)).toEqual(new Date('2041-05-03T07:08:09Z'));
  });

  it('never lets a leaf outlive its authority', async () => {
    const made = await createSelfSigned({ now, hosts, caValidityDays: 10, leafValidityDays: 365 });
    expect(new X509Certificate(made.cert).validTo).toBe(new X509Certificate(made.caCert).validTo);
  });

  it.each([[[]], [['https://localhost']], [['localhost:8443']], [['[::1]']], [['a b']], [['']]])(
    'refuses %j as hosts',
    async (wrong) => {
      await expect(createSelfSigned({ now, hosts: wrong })).rejects.toMatchObject({ code: 'HOST_INVALID' });
    },
  );
});

describe('issueLeaf', () => {
  it('gives every leaf a key and a serial number of its own', async () => {
    const made = await createSelfSigned({ now, hosts });
    const leaf = await issueLeaf({ now, hosts, ca: { cert: made.caCert, key: made.caKey } });
    const [first, second] = [new X509Certificate(made.cert), new X509Certificate(leaf.cert)];
    expect(second.serialNumber).not.toBe(first.serialNumber);
    expect(second.publicKey.equals(first.publicKey)).toBe(false);
    expect(second.verify(new X509Certificate(made.caCert).publicKey)).toBe(true);
  });

  it('issues an RSA leaf under an RSA authority', async () => {
    const { generate } = await import('selfsigned');
    const ca = await generate([{ name: 'commonName', value: 'somebody else' }], {
      keyType: 'rsa',
      algorithm: 'sha256',
      notBeforeDate: now,
      notAfterDate: new Date(now.getTime() + 86_400_000),
      extensions: [{ name: 'basicConstraints', cA: true, critical: true }],
    });
    const leaf = new X509Certificate(
      (await issueLeaf({ now, hosts, ca: { cert: ca.cert, key: ca.private } })).cert,
    );
    expect(leaf.publicKey.asymmetricKeyType).toBe('rsa');
    expect(leaf.verify(new X509Certificate(ca.cert).publicKey)).toBe(true);
  });
});
