import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { desiredState } from '../unit/distribution/desired.js';
import type { OpenSshServer } from './openssh-server.js';
import { filesOf, OpenSshSite, treeOf } from './openssh-site.js';
import { makeSshKeyFile, type SshKeyFile, type SshKeyFileOptions } from './ssh-key-files.js';

const desired = desiredState({ 'docker.io': 'D', 'quay.io': 'Q' });
const passphrase = 'correct horse "battery" \\ staple é';

const kinds = {
  'Ed25519, OpenSSH form': { type: 'ed25519' },
  'Ed25519, OpenSSH form, encrypted': { type: 'ed25519', passphrase },
  'ECDSA 256, OpenSSH form': { type: 'ecdsa', bits: 256 },
  'ECDSA 384, OpenSSH form': { type: 'ecdsa', bits: 384 },
  'ECDSA 521, OpenSSH form, encrypted': { type: 'ecdsa', bits: 521, passphrase },
  'ECDSA 256, PEM': { type: 'ecdsa', bits: 256, format: 'PEM' },
  'ECDSA 384, PEM, encrypted': { type: 'ecdsa', bits: 384, format: 'PEM', passphrase },
  'ECDSA 521, PEM': { type: 'ecdsa', bits: 521, format: 'PEM' },
  'ECDSA 521, PKCS#8, encrypted': { type: 'ecdsa', bits: 521, format: 'PKCS8', passphrase },
  'RSA, OpenSSH form': { type: 'rsa', bits: 2048 },
  'RSA, OpenSSH form, encrypted': { type: 'rsa', bits: 2048, passphrase },
  'RSA, PEM': { type: 'rsa', bits: 2048, format: 'PEM' },
  'RSA, PEM, encrypted': { type: 'rsa', bits: 2048, format: 'PEM', passphrase },
  'RSA, PKCS#8': { type: 'rsa', bits: 2048, format: 'PKCS8' },
  'RSA, PKCS#8, encrypted': { type: 'rsa', bits: 2048, format: 'PKCS8', passphrase },
} as const satisfies Record<string, SshKeyFileOptions>;
type Kind = keyof typeof kinds;

let site: OpenSshSite;
let server: OpenSshServer;
const keys = new Map<string, SshKeyFile>();
beforeAll(async () => {
  site = new OpenSshSite();
  for (const [kind, options] of Object.entries(kinds)) {
    keys.set(kind, makeSshKeyFile(join(site.directory, `key-${keys.size}`), options));
  }
  const authorizedKeys = [...keys.values(), site.userKey].map(({ publicKey }) => publicKey);
  server = await site.start('server', { authorizedKeys });
});
afterAll(() => site.close());

const names = Object.keys(kinds) as Kind[];
const encrypted = names.filter((kind) => 'passphrase' in kinds[kind]);

describe('a private key that ssh-keygen has made', () => {
  it.each(names)('logs in: %s', async (kind) => {
    const { privateKey } = keys.get(kind)!;
    const secret = encrypted.includes(kind) ? { passphrase } : {};
    const target = site.target(server, `right-${names.indexOf(kind)}`, { privateKey, ...secret });
    await site.sync(target, desired);
    expect(treeOf(target.root)).toEqual(filesOf(desired));
  });

  it.each(encrypted)('takes its own passphrase and no other: %s', async (kind) => {
    const { privateKey } = keys.get(kind)!;
    const target = site.target(server, `wrong-${names.indexOf(kind)}`, { privateKey });
    const wrong = { ...target, passphrase: 'correct horse' };
    await expect(site.sync(wrong, desired)).rejects.toMatchObject({
      class: 'authentication',
      message: `cannot log in to ${target.name}: the passphrase does not open the private key`,
      hint: 'check the passphrase',
    });
    await expect(site.sync(target, desired)).rejects.toMatchObject({
      class: 'authentication',
      message: `cannot log in to ${target.name}: the private key is encrypted and no passphrase is given`,
      hint: 'give its passphrase',
    });
    expect(existsSync(target.root)).toBe(false);
  });
});

describe('OpenSSH lets nobody in', () => {
  it.each([
    [{ type: 'ed25519' }, 'ssh-ed25519'],
    [{ type: 'ecdsa', bits: 256 }, 'ecdsa-sha2-nistp256'],
    [{ type: 'rsa', bits: 2048 }, 'ssh-rsa'],
  ] as const)('with a key that it does not know: %o', async (kind, type) => {
    const { privateKey } = makeSshKeyFile(join(site.directory, `stranger-${type}`), kind);
    const target = site.target(server, `stranger-${type}`, { privateKey });
    await expect(site.sync(target, desired)).rejects.toMatchObject({
      class: 'authentication',
      message: `127.0.0.1:${server.port} refused user "${server.username}" with a key of type ${type}`,
      hint: expect.stringContaining('administrators_authorized_keys') as string,
    });
    expect(existsSync(target.root)).toBe(false);
  });

  it('under the name of a user that does not exist', async () => {
    const target = site.target(server, 'unknown-user', { username: 'mirrorgate-nobody-here' });
    await expect(site.sync(target, desired)).rejects.toMatchObject({
      class: 'authentication',
      message: expect.stringContaining('refused user "mirrorgate-nobody-here"') as string,
    });
    expect(server.log()).toContain('Invalid user mirrorgate-nobody-here');
  });

  it('when it allows a user no try at all', async () => {
    const strict = await site.start('strict', { settings: ['MaxAuthTries 0'] });
    await expect(site.sync(site.target(strict, 'no-try'), desired)).rejects.toMatchObject({
      class: 'authentication',
    });
  });
});
