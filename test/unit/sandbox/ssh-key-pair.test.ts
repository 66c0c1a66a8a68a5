import ssh2, { type ParsedKey } from 'ssh2';
import { describe, expect, it } from 'vitest';
import { generateSshKeyPair, publicKeyLine, readSshKey } from '../../../src/sandbox/ssh-key-pair.js';

describe('generateSshKeyPair', () => {
  it('makes pairs that can be read back and belong together, every time', () => {
    const lines = new Set<string>();
    // The library alone would write several among so many that cannot be read.
    for (let round = 0; round < 1_000; round += 1) {
      const { privateKey, publicKey } = generateSshKeyPair();
      expect(publicKeyLine(readSshKey(privateKey, 'the private key'))).toBe(publicKey);
      expect(publicKeyLine(readSshKey(publicKey, 'the public key'))).toBe(publicKey);
      lines.add(publicKey);
    }
    expect(lines.size).toBe(1_000);
  });

  it('signs with the private key what the public key verifies', () => {
    const { privateKey, publicKey } = generateSshKeyPair();
    const signature = (ssh2.utils.parseKey(privateKey) as ParsedKey).sign('text');
    const verifier = readSshKey(publicKey, 'the public key');
    expect(verifier.verify('text', signature)).toBe(true);
    expect(verifier.verify('other', signature)).toBe(false);
  });
});

describe('readSshKey', () => {
  it('says what it cannot read without showing it', () => {
    const broken = generateSshKeyPair().privateKey.slice(0, 150);
    const read = () => readSshKey(broken, 'the host key');
    expect(read).toThrow(/^the host key is not an SSH key$/);
  });
});
