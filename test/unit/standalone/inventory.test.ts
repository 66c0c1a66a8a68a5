import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseInventory } from '../../../src/standalone/inventory.js';
import { temporaryFolder } from './temporary-folder.js';

const passphrase = 'correct horse';
let plainKey: string;
let publicKey: string;
let encryptedKey: string;
let folder: string;

beforeAll(() => {
  const plain = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });
  plainKey = plain.private;
  publicKey = plain.public;
  encryptedKey = ssh2.utils.generateKeyPairSync('ecdsa', {
    bits: 256,
    passphrase,
    cipher: 'aes256-ctr',
    rounds: 2,
  }).private;
});

beforeEach(async () => {
  folder = await temporaryFolder();
  await mkdir(join(folder, 'keys'));
  await writeFile(join(folder, 'keys/plain'), plainKey);
  await writeFile(join(folder, 'keys/plain.pub'), publicKey);
  await writeFile(join(folder, 'keys/encrypted'), encryptedKey);
  await writeFile(join(folder, 'keys/passphrase'), `${passphrase}\n`);
  await writeFile(join(folder, 'keys/wrong'), 'battery staple');
  await writeFile(join(folder, 'keys/no-key'), 'nothing of the kind');
});

const parse = (text: string) => parseInventory(text, join(folder, 'inventory.yaml'));

async function nodesOf(text: string) {
  const parsed = await parse(text);
  if (!parsed.ok) throw new Error(parsed.faults.join('\n'));
  return parsed.value;
}

async function faultsOf(text: string): Promise<readonly string[]> {
  const parsed = await parse(text);
  return parsed.ok ? [] : parsed.faults;
}

/** One node with everything that it needs, and more lines for it. */
const oneNode = (...lines: string[]) =>
  [
    'nodes:',
    '- name: win-1',
    ...['username: Administrator', 'privateKeyFile: keys/plain', ...lines].map((line) => `  ${line}`),
  ].join('\n');

describe('parseInventory', () => {
  it('reads a node, with the usual port and root, and its name as its address', async () => {
    expect(await nodesOf(oneNode())).toEqual([
      {
        name: 'win-1',
        address: 'win-1',
        port: 22,
        username: 'Administrator',
        privateKey: plainKey,
        root: 'C:\\k\\containerd\\registries',
      },
    ]);
  });

  it('gives every node the defaults, and lets it differ in each of them', async () => {
    const text = `
defaults:
  username: capi
  port: 2222
  privateKeyFile: keys/encrypted
  passphraseFile: keys/passphrase
  root: 'D:\\registries'
nodes:
- name: win-1
  address: 192.0.2.1
- name: win-2
  port: 22
  username: Administrator
  privateKeyFile: keys/plain
  root: 'E:\\registries'
`;
    expect(await nodesOf(text)).toEqual([
      {
        name: 'win-1',
        address: '192.0.2.1',
        port: 2222,
        username: 'capi',
        privateKey: encryptedKey,
        passphrase,
        root: 'D:\\registries',
      },
      {
        name: 'win-2',
        address: 'win-2',
        port: 22,
        username: 'Administrator',
        privateKey: plainKey,
        passphrase,
        root: 'E:\\registries',
      },
    ]);
  });

  it('takes a line break of either kind from the end of a passphrase, and no other blank', async () => {
    await writeFile(join(folder, 'keys/passphrase'), `${passphrase}\r\n`);
    const text = oneNode().replace('keys/plain', 'keys/encrypted') + '\n  passphraseFile: keys/passphrase';
    expect((await nodesOf(text))[0]?.passphrase).toBe(passphrase);
    await writeFile(join(folder, 'keys/passphrase'), `${passphrase} \n`);
    expect(await faultsOf(text)).toHaveLength(1);
  });

  it('takes an absolute path as it is', async () => {
    const text = oneNode().replace('keys/plain', join(folder, 'keys/plain'));
    expect(await nodesOf(text)).toHaveLength(1);
  });

  it('takes a list without nodes for what it says', async () => {
    expect(await nodesOf('nodes: []')).toEqual([]);
  });

  describe('names the field of each fault', () => {
    it('a missing user name', async () => {
      expect(await faultsOf('nodes:\n- name: win-1\n  privateKeyFile: keys/plain')).toEqual([
        'nodes[0].username: expected the SSH user here or in defaults.username, found none',
      ]);
    });

    it('a missing key and a missing user name together', async () => {
      expect(await faultsOf('nodes:\n- name: win-1\n')).toEqual([
        'nodes[0].username: expected the SSH user here or in defaults.username, found none',
        'nodes[0].privateKeyFile: expected the path of a private key here or in defaults.privateKeyFile, found none',
      ]);
    });

    it('a key file that is not there', async () => {
      const path = join(folder, 'keys/none');
      expect(await faultsOf(oneNode().replace('keys/plain', 'keys/none'))).toEqual([
        `nodes[0].privateKeyFile: ENOENT: no such file or directory, open '${path}'`,
      ]);
    });

    it('a key file of the defaults, once for all nodes', async () => {
      const text = `
defaults: {username: u, privateKeyFile: keys/none}
nodes: [{name: win-1}, {name: win-2}, {name: win-3}]
`;
      expect(await faultsOf(text)).toEqual([
        `defaults.privateKeyFile: ENOENT: no such file or directory, open '${join(folder, 'keys/none')}'`,
      ]);
    });

    it('a passphrase file that is not there, where it is written', async () => {
      const path = join(folder, 'keys/none');
      expect(await faultsOf(oneNode('passphraseFile: keys/none'))).toEqual([
        `nodes[0].passphraseFile: ENOENT: no such file or directory, open '${path}'`,
      ]);
      expect(await faultsOf(`defaults: {passphraseFile: keys/none}\n${oneNode()}`)).toEqual([
        `defaults.passphraseFile: ENOENT: no such file or directory, open '${path}'`,
      ]);
    });

    it.each([
      ['0', 'nodes[0].port: Too small: expected number to be >=1'],
      ['65536', 'nodes[0].port: Too big: expected number to be <=65535'],
      ['22.5', 'nodes[0].port: expected int, found number'],
      ['ssh', 'nodes[0].port: expected number, found string'],
    ])('a port that is none: %s', async (port, fault) => {
      expect(await faultsOf(oneNode(`port: ${port}`))).toEqual([fault]);
    });

    it('an unknown field, of a node, of the defaults and of the whole', async () => {
      expect(await faultsOf(oneNode('user: me'))).toEqual(['nodes[0].user: unknown field']);
      expect(await faultsOf(`defaults: {user: me}\n${oneNode()}`)).toEqual(['defaults.user: unknown field']);
      expect(await faultsOf(`hosts: []\n${oneNode()}`)).toEqual(['hosts: unknown field']);
    });

    it('a name that two nodes have', async () => {
      const text = `
defaults: {username: u, privateKeyFile: keys/plain}
nodes: [{name: win-1}, {name: win-2}, {name: win-1}]
`;
      expect(await faultsOf(text)).toEqual([
        'nodes[2].name: win-1 is listed twice; expected one entry per node',
      ]);
    });

    it('a node without a name, and a file without nodes', async () => {
      expect(await faultsOf('nodes:\n- address: 192.0.2.1')).toEqual([
        'nodes[0].name: expected string, found none',
      ]);
      expect(await faultsOf('defaults: {}')).toEqual(['nodes: expected array, found none']);
      expect(await faultsOf('')).toEqual(['expected object, found null']);
    });

    it.each([
      [
        'a file that holds no key',
        'keys/no-key',
        [],
        'keys/no-key: the private key cannot be read: not an OpenSSH, PKCS#1, SEC 1 or PKCS#8 key; convert it to OpenSSH form: ssh-keygen -p -f FILE, or make a new one: ssh-keygen -t ed25519 -f FILE',
      ],
      [
        'the public half',
        'keys/plain.pub',
        [],
        'keys/plain.pub: the key is a public key; give the private half of the key pair',
      ],
      [
        'an encrypted key without a passphrase',
        'keys/encrypted',
        [],
        'keys/encrypted: the private key is encrypted and no passphrase is given; give its passphrase',
      ],
      [
        'a passphrase that does not open the key',
        'keys/encrypted',
        ['passphraseFile: keys/wrong'],
        'keys/encrypted: the passphrase does not open the private key; check the passphrase',
      ],
    ])('%s', async (_, keyFile, lines, fault) => {
      expect(await faultsOf(oneNode(...lines).replace('keys/plain', keyFile))).toEqual([
        `nodes[0].privateKeyFile: ${fault}`,
      ]);
    });

    it('every fault at once, in the order of the nodes', async () => {
      const text = `
defaults: {username: u}
nodes: [{name: win-1, privateKeyFile: keys/no-key}, {name: win-1}]
`;
      expect((await faultsOf(text)).map((fault) => fault.replace(/: .*/, ''))).toEqual([
        'nodes[0].privateKeyFile',
        'nodes[1].name',
        'nodes[1].privateKeyFile',
      ]);
    });
  });

  it('tells line and column of what is no YAML', async () => {
    const [fault] = await faultsOf('nodes:\n- name: win-1\n  port: [22\n');
    expect(fault).toMatch(/^line 4, column 1: /);
    const [twice] = await faultsOf('nodes: []\nnodes: []\n');
    expect(twice).toMatch(/^line 2, column 1: /);
  });

  it('refuses aliases that expand without end', async () => {
    const levels = Array.from({ length: 12 }, (_, level) => {
      const items = level === 0 ? 'x' : Array.from({ length: 10 }, () => `*l${level - 1}`).join(', ');
      return `l${level}: &l${level} [${items}]`;
    });
    const faults = await faultsOf(`${levels.join('\n')}\nnodes: []\n`);
    expect(faults).toEqual([expect.stringContaining('alias')]);
  });

  it('opens keys with the reader it is given, which may remember them from one reading to the next', async () => {
    const opened: unknown[] = [];
    const parsed = await parseInventory(
      `defaults: {username: u, privateKeyFile: keys/encrypted, passphraseFile: keys/passphrase}
nodes: [{name: win-1}]`,
      join(folder, 'inventory.yaml'),
      (...key) => {
        opened.push(key);
        return { ok: false, fault: 'the reader says no', hint: 'ask another' };
      },
    );
    expect(opened).toEqual([[encryptedKey, passphrase]]);
    expect(parsed).toEqual({
      ok: false,
      faults: ['defaults.privateKeyFile: keys/encrypted: the reader says no; ask another'],
    });
  });
});
