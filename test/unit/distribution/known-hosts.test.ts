import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fingerprintOf, keyTypeOf, knownHostsName } from '../../../src/distribution/host-key-store.js';
import { judgeKey, keyTypes, linesFor, parseKnownHosts } from '../../../src/distribution/known-hosts.js';
import { generateSshKeyPair } from '../../../src/sandbox/ssh-key-pair.js';

const newKey = (): { line: string; wire: Buffer } => {
  const line = generateSshKeyPair().publicKey;
  return { line, wire: Buffer.from(line.split(' ')[1]!, 'base64') };
};
const ours = newKey();
const other = newKey();
const host = { name: 'win-1', address: '10.0.0.5', port: 22 };
const on2222 = { ...host, port: 2222 };

const matches = (text: string, at = host): boolean => linesFor(parseKnownHosts(text), at).length > 0;
const judge = (text: string, key: Buffer) =>
  judgeKey(
    linesFor(parseKnownHosts(text), host),
    key,
    (lines) => `lines ${lines.map(({ line }) => line).join()}`,
  );
const hashed = (name: string): string => {
  const salt = Buffer.from('12345678901234567890');
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
};

describe('fingerprints and names', () => {
  it('prints fingerprints as OpenSSH does', () => {
    // ssh-keygen -lf of this public key.
    const key = 'AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl';
    expect(fingerprintOf(Buffer.from(key, 'base64'))).toBe(
      'SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU',
    );
  });

  it('reads the type out of a key, and of nothing else', () => {
    expect(keyTypeOf(ours.wire)).toBe('ssh-ed25519');
    expect(keyTypeOf(Buffer.from([0, 0, 0, 200, 1]))).toBeUndefined();
    expect(keyTypeOf(Buffer.alloc(0))).toBeUndefined();
  });

  it('names a host with its port only where that is not 22', () => {
    expect([knownHostsName('Node.Example', 22), knownHostsName('10.0.0.5', 2222)]).toEqual([
      'node.example',
      '[10.0.0.5]:2222',
    ]);
  });
});

describe('which lines speak of a host', () => {
  it.each([
    ['its address', '10.0.0.5'],
    ['its name', 'win-1'],
    ['its name in another case', 'WIN-1'],
    ['a list', 'a.example,10.0.0.5,b.example'],
    ['a star', '10.0.*'],
    ['stars that must go back', '*0*0*.5'],
    ['a question mark', '10.0.0.?'],
    ['a hashed address', hashed('10.0.0.5')],
  ])('%s', (_, patterns) => {
    expect(matches(`${patterns} ${ours.line}`)).toBe(true);
  });

  it.each([
    ['another address', '10.0.0.6'],
    ['a longer address', '10.0.0.55'],
    ['the address on another port', '[10.0.0.5]:2222'],
    ['a negated address', '10.0.0.*,!10.0.0.5'],
    ['a hash of another', hashed('10.0.0.6')],
    ['a hash of another version', hashed('10.0.0.5').replace('|1|', '|2|')],
    ['a comment', '#10.0.0.5'],
    ['an authority', '@cert-authority 10.0.0.5'],
  ])('not %s', (_, patterns) => {
    expect(matches(`${patterns} ${ours.line}`)).toBe(false);
  });

  it('a port other than 22 is part of the name, plain and hashed', () => {
    expect(matches(`[10.0.0.5]:2222 ${ours.line}`, on2222)).toBe(true);
    expect(matches(`${hashed('[10.0.0.5]:2222')} ${ours.line}`, on2222)).toBe(true);
    expect(matches(`10.0.0.5 ${ours.line}`, on2222)).toBe(false);
  });

  it('passes over lines that cannot be read, and keeps the numbers of the others', () => {
    const text = `\r\n# comment\r\n10.0.0.5\r\n10.0.0.5 ssh-rsa ${ours.line.split(' ')[1]!}\r\n10.0.0.5 ${ours.line} a comment\r\n`;
    expect(parseKnownHosts(text).map(({ line }) => line)).toEqual([5]);
  });

  it('answers at once for a pattern made to be slow', () => {
    const slow = { ...host, address: `${'a'.repeat(2_000)}b`, name: 'n' };
    expect(matches(`${'*a'.repeat(1_000)}c ${ours.line}`, slow)).toBe(false);
  });
});

describe('judgeKey', () => {
  it('accepts a key on record, also among others', () => {
    expect(judge(`10.0.0.5 ${other.line}\n10.0.0.5 ${ours.line}`, ours.wire)).toEqual({
      accepted: true,
      pinned: false,
    });
  });

  it('says nothing of a host that is not on record', () => {
    expect(judge(`10.0.0.6 ${ours.line}`, ours.wire)).toBeUndefined();
  });

  it('refuses another key than the one on record, with both fingerprints and the line', () => {
    expect(judge(`\n10.0.0.5 ${other.line}`, ours.wire)).toEqual({
      accepted: false,
      reason: 'changed',
      expected: [fingerprintOf(other.wire)],
      found: fingerprintOf(ours.wire),
      hint: 'lines 2',
    });
  });

  it('refuses a revoked key, even one that is also on record', () => {
    expect(judge(`10.0.0.5 ${ours.line}\n@revoked * ${ours.line}`, ours.wire)).toMatchObject({
      accepted: false,
      reason: 'revoked',
      hint: 'lines 2',
    });
  });

  it('a revoked key of somebody else says nothing of this host', () => {
    expect(judge(`@revoked * ${other.line}`, ours.wire)).toBeUndefined();
  });

  it('knows the types of the trusted keys alone', () => {
    const lines = linesFor(
      parseKnownHosts(`@revoked * ${other.line}\n10.0.0.5 ${ours.line}\nwin-1 ${ours.line}`),
      host,
    );
    expect(keyTypes(lines)).toEqual(['ssh-ed25519']);
    expect(keyTypes(linesFor(parseKnownHosts(`@revoked * ${other.line}`), host))).toEqual([]);
  });
});
