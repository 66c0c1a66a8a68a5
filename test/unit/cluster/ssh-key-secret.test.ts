import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSshKeySecret } from '../../../src/cluster/ssh-key-secret.js';
import { readPrivateKey } from '../../../src/distribution/private-key.js';
import { generateSshKeyPair } from '../../../src/sandbox/ssh-key-pair.js';
import { secret } from './held-objects.js';

const key = { namespace: 'wmco', name: 'cloud-private-key' };
const { privateKey } = generateSshKeyPair();
const read = (texts: Readonly<Record<string, string>> | null) =>
  readSshKeySecret('wmco/cloud-private-key', texts === null ? null : secret(key, texts), readPrivateKey);

function encryptedKey(passphrase: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'mirrorgate-key-'));
  try {
    const file = join(folder, 'key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-f', file], { stdio: 'ignore' });
    return readFileSync(file, 'utf8');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('readSshKeySecret', () => {
  it.each(['private-key.pem', 'ssh-privatekey'])('takes the key from "%s"', (name) => {
    expect(read({ [name]: privateKey })).toEqual({ ok: true, privateKey });
  });

  it('prefers the name that WMCO uses', () => {
    expect(read({ 'ssh-privatekey': 'other', 'private-key.pem': privateKey })).toMatchObject({ privateKey });
  });

  it('opens an encrypted key with the passphrase, without the line break of a file', () => {
    const encrypted = encryptedKey('open sesame');
    expect(read({ 'private-key.pem': encrypted, passphrase: 'open sesame\n' })).toEqual({
      ok: true,
      privateKey: encrypted,
      passphrase: 'open sesame',
    });
    const without = read({ 'private-key.pem': encrypted });
    expect(without).toMatchObject({
      ok: false,
      reason: 'SSHKeyInvalid',
      hint: 'put the passphrase under the key "passphrase" of the same Secret',
    });
    const wrong = read({ 'private-key.pem': encrypted, passphrase: 'let me in' });
    expect(wrong).toMatchObject({ ok: false, reason: 'SSHKeyInvalid' });
    expect(JSON.stringify(wrong)).not.toContain('let me in');
  });

  it('says that there is no Secret, or no key in it, and how to make it', () => {
    const hint = expect.stringContaining(
      'oc -n wmco create secret generic cloud-private-key --from-file=private-key.pem=FILE',
    ) as string;
    expect(read(null)).toEqual({
      ok: false,
      reason: 'SSHKeyMissing',
      message: 'there is no Secret wmco/cloud-private-key, which holds the private key for SSH',
      hint,
    });
    expect(read({ id_rsa: privateKey })).toEqual({
      ok: false,
      reason: 'SSHKeyMissing',
      message: 'Secret wmco/cloud-private-key has no key "private-key.pem"; it has "id_rsa"',
      hint,
    });
    expect(read({})).toMatchObject({ message: expect.stringContaining('it has none') as string });
  });

  it('says what is wrong with a key, and never shows it', () => {
    const broken = read({ 'private-key.pem': privateKey.replace(/[A-Z]{4}/g, 'AAAA') });
    expect(broken).toMatchObject({
      ok: false,
      reason: 'SSHKeyInvalid',
      message: expect.stringContaining('"private-key.pem" in Secret wmco/cloud-private-key: ') as string,
    });
    const material = privateKey.split('\n')[1]!.slice(10, 40);
    expect(JSON.stringify(broken)).not.toContain(material);
  });
});
