import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fingerprintOf } from '../../../src/distribution/host-key-store.js';
import { knownHostsFile } from '../../../src/distribution/known-hosts-file.js';
import { pinnedKeysFile } from '../../../src/distribution/pinned-keys-file.js';
import { generateSshKeyPair } from '../../../src/sandbox/ssh-key-pair.js';

const newKey = (): { line: string; wire: Buffer } => {
  const line = generateSshKeyPair().publicKey;
  return { line, wire: Buffer.from(line.split(' ')[1]!, 'base64') };
};
const key = newKey();
const changed = newKey();
const host = { name: 'win-1', address: '10.0.0.5', port: 2222 };

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mirrorgate-keys-'));
  path = join(directory, 'keys', 'known_hosts');
});
afterEach(() => rm(directory, { recursive: true }));

describe('pinnedKeysFile', () => {
  it('pins the first key, in a file for its owner alone, and accepts it from then on', async () => {
    const store = pinnedKeysFile(path);
    expect(await store.check(host, key.wire)).toEqual({ accepted: true, pinned: true });
    expect(await store.check(host, key.wire)).toEqual({ accepted: true, pinned: false });
    expect(await readFile(path, 'utf8')).toBe(`[10.0.0.5]:2222 ${key.line}\n`);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(directory, 'keys'))).toEqual(['known_hosts']);
  });

  it('remembers across restarts', async () => {
    await pinnedKeysFile(path).check(host, key.wire);
    expect(await pinnedKeysFile(path).check(host, key.wire)).toEqual({ accepted: true, pinned: false });
  });

  it('loses no pin when many hosts are met at the same time', async () => {
    const store = pinnedKeysFile(path);
    const hosts = Array.from({ length: 40 }, (_, index) => ({ ...host, address: `10.0.1.${index}` }));
    await Promise.all(hosts.map((each) => store.check(each, key.wire)));
    const again = await Promise.all(hosts.map((each) => store.check(each, changed.wire)));
    expect(again.filter(({ accepted }) => accepted)).toEqual([]);
  });

  it('refuses a changed key, keeps the pin, and says which line to remove and how', async () => {
    const store = pinnedKeysFile(path);
    await store.check({ ...host, address: '10.0.0.4' }, key.wire);
    await store.check(host, key.wire);
    const before = await readFile(path, 'utf8');
    const verdict = await store.check(host, changed.wire);
    expect(verdict).toMatchObject({
      accepted: false,
      reason: 'changed',
      expected: [fingerprintOf(key.wire)],
      found: fingerprintOf(changed.wire),
    });
    if (verdict.accepted) throw new Error('accepted');
    expect(verdict.hint).toContain(`remove line 2 of ${path}`);
    expect(await readFile(path, 'utf8')).toBe(before);

    // The command of the hint does what the hint says.
    const command = /ssh-keygen -R "([^"]+)" -f "([^"]+)"/.exec(verdict.hint)!;
    execFileSync('ssh-keygen', ['-R', command[1]!, '-f', command[2]!], { stdio: 'ignore' });
    expect(await store.check(host, changed.wire)).toEqual({ accepted: true, pinned: true });
    expect(await store.check({ ...host, address: '10.0.0.4' }, key.wire)).toMatchObject({ pinned: false });
  });

  it('keeps what a person wrote into the file', async () => {
    await pinnedKeysFile(path).check(host, key.wire);
    await writeFile(path, `# mine\n@revoked * ${changed.line}`);
    const store = pinnedKeysFile(path);
    expect(await store.check(host, changed.wire)).toMatchObject({ accepted: false, reason: 'revoked' });
    expect(await store.check(host, key.wire)).toMatchObject({ pinned: true });
    expect(await readFile(path, 'utf8')).toBe(
      `# mine\n@revoked * ${changed.line}\n[10.0.0.5]:2222 ${key.line}\n`,
    );
    expect(await store.knownKeyTypes(host)).toEqual(['ssh-ed25519']);
  });

  it('trusts nobody when the file cannot be read, and works again when it can', async () => {
    await writeFile(join(directory, 'keys'), 'a file where a directory is needed');
    const store = pinnedKeysFile(path);
    await expect(store.check(host, key.wire)).rejects.toThrow(/ENOTDIR/);
    await rm(join(directory, 'keys'));
    expect(await store.check(host, key.wire)).toEqual({ accepted: true, pinned: true });
  });
});

describe('knownHostsFile', () => {
  beforeEach(() => {
    path = join(directory, 'known_hosts');
  });

  it('accepts the hosts of the file, refuses all others, and never writes', async () => {
    const text = `[10.0.0.5]:2222 ${key.line}\n`;
    await writeFile(path, text);
    const store = knownHostsFile(path);
    expect(await store.check(host, key.wire)).toEqual({ accepted: true, pinned: false });
    expect(await store.check({ ...host, address: '10.0.0.6' }, key.wire)).toEqual({
      accepted: false,
      reason: 'unknown',
      expected: [],
      found: fingerprintOf(key.wire),
      hint: expect.stringContaining('ssh-keyscan -p 2222 10.0.0.6 >> ') as string,
    });
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  it('reads a file that ssh-keygen has hashed', async () => {
    await writeFile(path, `[10.0.0.5]:2222 ${key.line}\n10.0.0.7 ${changed.line}\n`);
    execFileSync('ssh-keygen', ['-H', '-f', path], { stdio: 'ignore' });
    expect(await readFile(path, 'utf8')).toMatch(/^\|1\|/);
    const store = knownHostsFile(path);
    expect(await store.check(host, key.wire)).toMatchObject({ accepted: true });
    expect(await store.check(host, changed.wire)).toMatchObject({ reason: 'changed' });
  });

  it('says which line to replace when a key has changed, and takes the edit at once', async () => {
    await writeFile(path, `# nodes\n[10.0.0.5]:2222 ${key.line}\n`);
    const store = knownHostsFile(path);
    expect(await store.check(host, changed.wire)).toMatchObject({
      reason: 'changed',
      hint: expect.stringContaining(`replace line 2 of ${path}`) as string,
    });
    await writeFile(path, `[10.0.0.5]:2222 ${changed.line}\n`);
    expect(await store.check(host, changed.wire)).toMatchObject({ accepted: true });
  });

  it('throws when there is no file', async () => {
    await expect(knownHostsFile(path).check(host, key.wire)).rejects.toThrow(/ENOENT/);
  });
});
