import { generateKeyPairSync } from 'node:crypto';
import ssh2 from 'ssh2';
import { describe, expect, it } from 'vitest';
import { readPrivateKey, rememberingKeyReader } from '../../../src/distribution/private-key.js';
import { generateSshKeyPair } from '../../../src/sandbox/ssh-key-pair.js';

const cipher = 'aes-256-cbc';
const passphrase = 'open sesame';
/** An OpenSSH key. Of the Ed25519 keys that ssh2 makes it cannot read one in 200 itself: that one is made again. */
function openssh(encrypted: boolean): string {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync(
      'ed25519',
      encrypted ? { passphrase, cipher: 'aes256-ctr', rounds: 4 } : {},
    );
    if (!(ssh2.utils.parseKey(pair.private, passphrase) instanceof Error)) return pair.private;
  }
}
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
const ed25519 = generateKeyPairSync('ed25519').privateKey;
const pem = (text: string | Buffer): string => text.toString();

describe('readPrivateKey', () => {
  it.each([
    ['PKCS#1 RSA', pem(rsa.export({ type: 'pkcs1', format: 'pem' })), 'ssh-rsa'],
    ['PKCS#8 RSA', pem(rsa.export({ type: 'pkcs8', format: 'pem' })), 'ssh-rsa'],
    ['SEC 1 ECDSA', pem(ec.export({ type: 'sec1', format: 'pem' })), 'ecdsa-sha2-nistp384'],
    ['PKCS#8 ECDSA', pem(ec.export({ type: 'pkcs8', format: 'pem' })), 'ecdsa-sha2-nistp384'],
    ['PKCS#8 Ed25519', pem(ed25519.export({ type: 'pkcs8', format: 'pem' })), 'ssh-ed25519'],
    ['OpenSSH Ed25519', openssh(false), 'ssh-ed25519'],
  ])('reads %s', (_, text, type) => {
    const read = readPrivateKey(text, undefined);
    expect(read).toMatchObject({ ok: true, key: { type } });
  });

  it.each([
    ['PKCS#1 RSA', pem(rsa.export({ type: 'pkcs1', format: 'pem', cipher, passphrase }))],
    ['PKCS#8 RSA', pem(rsa.export({ type: 'pkcs8', format: 'pem', cipher, passphrase }))],
    ['PKCS#8 Ed25519', pem(ed25519.export({ type: 'pkcs8', format: 'pem', cipher, passphrase }))],
    ['OpenSSH', openssh(true)],
  ])('opens an encrypted %s key with its passphrase alone', (_, text) => {
    expect(readPrivateKey(text, passphrase)).toMatchObject({ ok: true });
    expect(readPrivateKey(text, undefined)).toMatchObject({
      ok: false,
      fault: expect.stringMatching(/no passphrase/) as string,
    });
    expect(readPrivateKey(text, 'wrong')).toMatchObject({
      ok: false,
      fault: expect.stringMatching(/does not open/) as string,
    });
  });

  it('keeps the key pair when it changes the form of an Ed25519 key', () => {
    const read = readPrivateKey(pem(ed25519.export({ type: 'pkcs8', format: 'pem' })), undefined);
    if (!read.ok) throw new Error(read.fault);
    const signature = read.key.sign('text');
    const { x } = ed25519.export({ format: 'jwk' });
    expect(read.key.getPublicSSH().subarray(-32)).toEqual(Buffer.from(x!, 'base64url'));
    expect(read.key.verify('text', signature)).toBe(true);
  });

  it.each([
    ['nothing', '', /cannot be read/],
    ['rubbish', 'hunter2', /cannot be read/],
    ['a broken PEM', '-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n', /cannot be read/],
    ['a public key', generateSshKeyPair().publicKey, /public key/],
    [
      'an Ed448 key',
      pem(generateKeyPairSync('ed448').privateKey.export({ type: 'pkcs8', format: 'pem' })),
      /cannot be read/,
    ],
  ])('says what is wrong with %s, and shows none of it', (_, text, fault) => {
    const read = readPrivateKey(text, 'hunter2');
    expect(read).toMatchObject({ ok: false, fault: expect.stringMatching(fault) as string });
    expect(JSON.stringify(read)).not.toContain('hunter2');
  });
});

describe('rememberingKeyReader', () => {
  it('reads a key once, and forgets the least used beyond its capacity', () => {
    const read = rememberingKeyReader(2);
    const [first, second, third] = [openssh(false), openssh(false), openssh(false)];
    const before = read(first, undefined);
    read(second, undefined);
    expect(read(first, undefined)).toBe(before);
    read(third, undefined);
    expect(read(first, undefined)).toBe(before);
    const reread = read(second, undefined);
    expect(reread).toMatchObject({ ok: true });
    expect(read(first, undefined)).toBe(before);
  });

  it('tells passphrases apart', () => {
    const read = rememberingKeyReader();
    const text = openssh(true);
    expect([read(text, 'wrong').ok, read(text, passphrase).ok, read(text, undefined).ok]).toEqual([
      false,
      true,
      false,
    ]);
  });
});
