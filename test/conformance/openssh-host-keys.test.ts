import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { knownHostsFile } from '../../src/distribution/known-hosts-file.js';
import { desiredState } from '../unit/distribution/desired.js';
import type { OpenSshServer } from './openssh-server.js';
import { filesOf, marksOf, OpenSshSite, treeOf } from './openssh-site.js';
import {
  fingerprintOfKeyFile,
  hashKnownHosts,
  makeSshKeyFile,
  type SshKeyFile,
  type SshKeyFileOptions,
} from './ssh-key-files.js';

const old = desiredState({ 'quay.io': 'old' });
const desired = desiredState({ 'docker.io': 'D', 'quay.io': 'new' });

let site: OpenSshSite;
let knownHosts: string;
beforeEach(() => {
  site = new OpenSshSite();
  knownHosts = join(site.directory, 'known_hosts');
});
afterEach(() => site.close());

function hostKey(name: string, options: SshKeyFileOptions): SshKeyFile {
  return makeSshKeyFile(join(site.directory, name), options);
}

/** A line of a known_hosts file, without the key's comment. */
function knownHost(host: string, key: SshKeyFile): string {
  return `${host} ${key.publicKey.split(' ').slice(0, 2).join(' ')}\n`;
}

const hostOf = ({ address, port }: OpenSshServer): string => `[${address}]:${port}`;

describe('a host key that is pinned on first use', () => {
  it('is the one that OpenSSH’s own tools show, and is accepted from then on', async () => {
    const server = await site.start('server');
    const pinned: string[] = [];
    const options = { onHostKeyPinned: (fingerprint: string) => pinned.push(fingerprint) };
    await site.sync(site.target(server), old, options);
    const [key] = server.hostKeys;
    expect(pinned).toEqual([fingerprintOfKeyFile(key!.path)]);
    const pins = readFileSync(site.pins, 'utf8');
    expect(pins).toBe(knownHost(hostOf(server), key!));

    await site.sync(site.target(server), desired, options);
    expect(pinned).toHaveLength(1);
    expect(readFileSync(site.pins, 'utf8')).toBe(pins);
  });

  it('stays when the host shows another: refused, with how to accept it, and nothing is written', async () => {
    const server = await site.start('server');
    const target = site.target(server);
    await site.sync(target, old);
    const pins = readFileSync(site.pins, 'utf8');
    const files = marksOf(target.root);
    await server.stop();

    const { port } = server;
    const reinstalled = await site.start('reinstalled', { port });
    const [before, after] = [server, reinstalled].map(({ hostKeys }) =>
      fingerprintOfKeyFile(hostKeys[0]!.path),
    );
    await expect(site.sync(target, desired)).rejects.toMatchObject({
      class: 'host-key-mismatch',
      message: `the host key of 127.0.0.1:${port} has changed: expected ${before!}, found ${after!}`,
      hint: expect.stringContaining(`remove line 1 of ${site.pins}`) as string,
    });
    expect(marksOf(target.root)).toEqual(files);
    expect(readFileSync(site.pins, 'utf8')).toBe(pins);
    // Not even the user name was told to a host that is not trusted.
    expect(reinstalled.log()).not.toMatch(/publickey|user root/i);

    writeFileSync(site.pins, '');
    await site.sync(target, desired);
    expect(treeOf(target.root)).toEqual(filesOf(desired));
  });
});

describe('a known_hosts file', () => {
  it('trusts the host that it names, as ssh-keygen hashes it too, and nobody else', async () => {
    const known = await site.start('known');
    const stranger = await site.start('stranger');
    writeFileSync(knownHosts, knownHost(hostOf(known), known.hostKeys[0]!));
    const hostKeys = knownHostsFile(knownHosts);
    await site.sync(site.target(known), old, { hostKeys });

    hashKnownHosts(knownHosts);
    expect(readFileSync(knownHosts, 'utf8')).toMatch(/^\|1\|/);
    await site.sync(site.target(known), desired, { hostKeys });
    expect(treeOf(site.target(known).root)).toEqual(filesOf(desired));

    const elsewhere = site.target(stranger, 'win-2');
    const found = fingerprintOfKeyFile(stranger.hostKeys[0]!.path);
    await expect(site.sync(elsewhere, desired, { hostKeys })).rejects.toMatchObject({
      class: 'host-key-unknown',
      message: `the host key of ${elsewhere.address}:${elsewhere.port} is not known (${found})`,
      hint: expect.stringContaining(`ssh-keyscan -p ${stranger.port} 127.0.0.1`) as string,
    });
    expect(existsSync(elsewhere.root)).toBe(false);
  });

  it.each(['plain', 'hashed'])('refuses a host whose key is another than on record: %s', async (form) => {
    const server = await site.start('server');
    const expected = hostKey('expected', { type: 'ed25519' });
    writeFileSync(knownHosts, knownHost(hostOf(server), expected));
    if (form === 'hashed') hashKnownHosts(knownHosts);
    const target = site.target(server);
    await expect(site.sync(target, desired, { hostKeys: knownHostsFile(knownHosts) })).rejects.toMatchObject({
      class: 'host-key-mismatch',
      message: expect.stringContaining(
        `expected ${fingerprintOfKeyFile(expected.path)}, found ${fingerprintOfKeyFile(server.hostKeys[0]!.path)}`,
      ) as string,
    });
    expect(existsSync(target.root)).toBe(false);
  });

  it('does not take a plain address for a host on another port', async () => {
    const server = await site.start('server');
    writeFileSync(knownHosts, knownHost('127.0.0.1', server.hostKeys[0]!));
    await expect(
      site.sync(site.target(server), desired, { hostKeys: knownHostsFile(knownHosts) }),
    ).rejects.toMatchObject({ class: 'host-key-unknown' });
  });
});

describe('host keys of every kind', () => {
  const kinds = [
    { type: 'ed25519' },
    { type: 'ecdsa', bits: 256 },
    { type: 'ecdsa', bits: 384 },
    { type: 'ecdsa', bits: 521 },
    { type: 'rsa', bits: 3072 },
  ] as const;

  it('are pinned, and accepted afterwards', async () => {
    for (const [index, kind] of kinds.entries()) {
      const server = await site.start(`server-${index}`, { hostKeys: [hostKey(`host-${index}`, kind)] });
      const target = site.target(server, `win-${index}`);
      await site.sync(target, old);
      await site.sync(target, desired);
      expect(treeOf(target.root)).toEqual(filesOf(desired));
    }
    const types = readFileSync(site.pins, 'utf8').matchAll(/ (\S+) /g);
    expect([...types].map(([, type]) => type)).toEqual([
      'ssh-ed25519',
      'ecdsa-sha2-nistp256',
      'ecdsa-sha2-nistp384',
      'ecdsa-sha2-nistp521',
      'ssh-rsa',
    ]);
  });

  it('on one server: whichever of them is on record is the one it is asked for', async () => {
    const hostKeys = kinds.map((kind, index) => hostKey(`host-${index}`, kind));
    const server = await site.start('server', { hostKeys });
    for (const key of hostKeys) {
      writeFileSync(knownHosts, knownHost(hostOf(server), key));
      await site.sync(site.target(server), desired, { hostKeys: knownHostsFile(knownHosts) });
    }
    expect(treeOf(site.target(server).root)).toEqual(filesOf(desired));
  });
});
