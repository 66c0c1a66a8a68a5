import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { connect as connectTcp, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import ssh2, { type ServerConfig } from 'ssh2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostKeyStore } from '../../src/distribution/host-key-store.js';
import { knownHostsFile } from '../../src/distribution/known-hosts-file.js';
import { readPrivateKey } from '../../src/distribution/private-key.js';
import { openSession, type SessionOptions, type SftpSession } from '../../src/distribution/sftp-session.js';
import type { TargetNode } from '../../src/distribution/target-node.js';
import type { SandboxNode } from '../../src/sandbox/sandbox-node.js';
import { generateSshKeyPair, publicKeyLine, readSshKey } from '../../src/sandbox/ssh-key-pair.js';
import { deadPort, DistributionSite } from './distribution-site.js';

const top = '/C:/k';
let site: DistributionSite;
const cleanUps: (() => unknown)[] = [];
beforeEach(() => {
  site = new DistributionSite();
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  await site.close();
});

async function open(target: TargetNode, options: SessionOptions = {}): Promise<SftpSession> {
  const session = await openSession(target, site.hostKeys, options);
  cleanUps.push(() => session.close());
  return session;
}

/** A TCP server of one's own, as a target. */
async function tcpServer(serve: (socket: Socket) => void): Promise<TargetNode> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)));
    serve(socket);
  });
  cleanUps.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return targetOf(await listening(server));
}

/** An SSH server that lets everybody in and then does as it is told. */
async function sshServer(
  config: ServerConfig,
  serve: (connection: ssh2.Connection) => void,
): Promise<TargetNode> {
  const connections = new Set<ssh2.Connection>();
  const server = new ssh2.Server(config, (connection) => {
    connections.add(connection);
    connection.on('error', () => undefined);
    connection.on('authentication', (context) => {
      context.accept();
    });
    serve(connection);
  });
  cleanUps.push(async () => {
    for (const connection of connections) connection.end();
    await new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
    });
  });
  return targetOf(await listening(server));
}

async function listening(server: Server | ssh2.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function targetOf(port: number): TargetNode {
  return site.target({ name: 'other', address: '127.0.0.1', port });
}

describe('logging in', () => {
  const passphrase = 'open sesame';
  const pkcs8 = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const;
  const encrypted = { passphrase, cipher: 'aes256-ctr', rounds: 2 };

  it.each([
    ['RSA', () => ssh2.utils.generateKeyPairSync('rsa', { bits: 2048, ...encrypted }).private],
    ['ECDSA', () => ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256, ...encrypted }).private],
    ['Ed25519', () => generateKeyPairSync('ed25519').privateKey.export(pkcs8).toString()],
  ])('works with an encrypted %s key and its passphrase', async (_, generate) => {
    const privateKey = generate();
    const read = readPrivateKey(privateKey, passphrase);
    if (!read.ok) throw new Error(read.fault);
    const node = await site.start('win-1', { authorizedKeys: [publicKeyLine(read.key)] });
    const session = await open(site.target(node, { privateKey, passphrase }));
    expect(await session.list('/C:')).toEqual([]);

    await expect(open(site.target(node, { privateKey, passphrase: 'wrong' }))).rejects.toMatchObject({
      class: 'authentication',
      message: 'cannot log in to win-1: the passphrase does not open the private key',
    });
    expect(node.sessionsBegun).toBe(1);
  });
});

describe('the host key', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    .privateKey.export({ type: 'pkcs1', format: 'pem' })
    .toString();

  it('is asked for in the type on record first, so that a server with several keys stays known', async () => {
    const ed25519 = generateSshKeyPair();
    const target = await sshServer({ hostKeys: [ed25519.privateKey, rsa] }, (connection) => {
      connection.on('session', (accept) => {
        accept().on('sftp', (acceptSftp) => {
          acceptSftp();
        });
      });
    });
    const name = `[127.0.0.1]:${target.port}`;
    writeFileSync(site.pins, `${name} ${publicKeyLine(readSshKey(rsa, 'rsa'))}\n`);
    const session = await openSession(target, knownHostsFile(site.pins));
    await session.close();

    writeFileSync(site.pins, `${name} ${ed25519.publicKey}\n`);
    await (await openSession(target, knownHostsFile(site.pins))).close();
  });

  it('is not trusted when the record cannot be read', async () => {
    const node = await site.start('win-1');
    await expect(
      openSession(site.target(node), knownHostsFile(`${site.pins}-missing`)),
    ).rejects.toMatchObject({
      class: 'host-key-unknown',
      message: expect.stringContaining('ENOENT') as string,
    });
    expect(node.connections).toBe(0);
  });

  it('is not trusted when it cannot be recorded', async () => {
    const node = await site.start('win-1');
    const failing = {
      check: () => Promise.reject(new Error('read-only file system')),
      knownKeyTypes: () => Promise.resolve([]),
    };
    await expect(openSession(site.target(node), failing)).rejects.toMatchObject({
      class: 'host-key-unknown',
      message: 'the record of host keys cannot be used (read-only file system)',
    });
    expect(node.sessionsBegun).toBe(0);
  });

  it.each([true, false])('may be judged after the connection is gone, accepted: %s', async (accepted) => {
    const node = await site.start('win-1');
    let judge: (() => void) | undefined;
    const slow: HostKeyStore = {
      check: () =>
        new Promise((resolve) => {
          judge = () => {
            resolve(
              accepted
                ? { accepted, pinned: false }
                : { accepted, reason: 'unknown', expected: [], found: 'SHA256:x', hint: 'none' },
            );
          };
          node.killConnections();
        }),
      knownKeyTypes: () => Promise.resolve([]),
    };
    await expect(openSession(site.target(node), slow)).rejects.toMatchObject({ class: 'unreachable' });
    await sleep(20);
    const faults: unknown[] = [];
    const listener = (fault: unknown): unknown => faults.push(fault);
    process.once('unhandledRejection', listener);
    judge?.();
    await sleep(20);
    process.off('unhandledRejection', listener);
    expect(faults).toEqual([]);
    expect(judge).toBeDefined();
  });

  it('is announced when it is pinned, and not again', async () => {
    const node = await site.start('win-1');
    const pinned: string[] = [];
    const options = { onHostKeyPinned: (fingerprint: string) => pinned.push(fingerprint) };
    await open(site.target(node), options);
    await open(site.target(node), options);
    expect(pinned).toEqual([expect.stringMatching(/^SHA256:[A-Za-z0-9+/]{43}$/)]);
  });
});

describe('a node that cannot be spoken to', () => {
  it('refuses the connection: unreachable', async () => {
    const port = await deadPort();
    await expect(open(targetOf(port))).rejects.toMatchObject({
      class: 'unreachable',
      message: `127.0.0.1:${port} refused the connection`,
    });
  });

  it('accepts it and says nothing: unreachable, within the time allowed', async () => {
    const target = await tcpServer(() => undefined);
    await expect(open(target, { readyTimeout: 50 })).rejects.toMatchObject({
      class: 'unreachable',
      message: `127.0.0.1:${target.port} did not answer within 0.05 s (while waiting for the SSH handshake)`,
    });
  });

  it('closes it at once: unreachable', async () => {
    const target = await tcpServer((socket) => {
      socket.destroy();
    });
    await expect(open(target)).rejects.toMatchObject({ class: 'unreachable' });
  });

  it('speaks something else: protocol', async () => {
    const target = await tcpServer((socket) =>
      socket.end(`HTTP/1.1 400 Bad Request\r\n${'x'.repeat(9_000)}\r\n\r\n`),
    );
    await expect(open(target)).rejects.toMatchObject({ class: 'protocol' });
  });

  it('has no SFTP: protocol, with the line that is missing', async () => {
    const target = await sshServer({ hostKeys: [generateSshKeyPair().privateKey] }, (connection) => {
      connection.on('session', (accept) => {
        accept();
      });
    });
    await expect(open(target)).rejects.toMatchObject({
      class: 'protocol',
      hint: 'sshd_config on the node must have: Subsystem sftp sftp-server.exe',
    });
  });

  it('goes down while SFTP is opened: unreachable, and not the lack of SFTP', async () => {
    const target = await sshServer({ hostKeys: [generateSshKeyPair().privateKey] }, (connection) => {
      connection.on('session', (accept) => {
        const session = accept();
        session.on('sftp', (_, reject) => {
          reject();
          connection.end();
        });
      });
    });
    await expect(open(target)).rejects.toMatchObject({ class: 'unreachable' });
  });

  it('knows only algorithms of the past: protocol, unless they are allowed', async () => {
    const node = { hostKeys: [generateSshKeyPair().privateKey] };
    const old = { ...node, algorithms: { kex: ['diffie-hellman-group14-sha1' as const] } };
    const target = await sshServer(old, (connection) => {
      connection.on('session', (accept) => {
        accept().on('sftp', (acceptSftp) => {
          acceptSftp();
        });
      });
    });
    await expect(open(target)).rejects.toMatchObject({
      class: 'protocol',
      message: expect.stringContaining('share no algorithm') as string,
    });
    await open(target, { algorithms: old.algorithms });
  });
});

describe('a session', () => {
  let node: SandboxNode;
  let session: SftpSession;
  beforeEach(async () => {
    node = await site.start('win-1');
    session = await open(site.target(node), { requestTimeout: 5_000 });
    await session.makeDirectory(top);
  });

  it('lists, reads, creates, replaces and removes', async () => {
    const large = Buffer.alloc(200_000, 'x');
    await session.create(`${top}/new`, large);
    await session.create(`${top}/old`, Buffer.from('old'));
    expect(await session.list(top)).toEqual([
      { name: 'new', kind: 'file', size: 200_000 },
      { name: 'old', kind: 'file', size: 3 },
    ]);
    await session.replace(`${top}/new`, `${top}/old`);
    expect(await session.list(top)).toEqual([{ name: 'old', kind: 'file', size: 200_000 }]);
    expect((await session.read(`${top}/old`, 300_000))?.equals(large)).toBe(true);
    expect(await session.read(`${top}/old`, 10)).toEqual(Buffer.from('xxxxxxxxxx'));
    expect([await session.remove(`${top}/old`), await session.remove(`${top}/old`)]).toEqual([true, false]);
    expect(await session.read(`${top}/old`, 10)).toBeUndefined();
    expect(await session.list(`${top}/missing`)).toBeUndefined();
  });

  it('holds empty files', async () => {
    await session.create(`${top}/empty`, Buffer.alloc(0));
    expect(await session.read(`${top}/empty`, 1)).toEqual(Buffer.alloc(0));
  });

  it('takes a directory that is there for made, but not a file in its place', async () => {
    await session.makeDirectory(top);
    await session.create(`${top}/file`, Buffer.from('x'));
    await expect(session.makeDirectory(`${top}/file`)).rejects.toMatchObject({ class: 'protocol' });
  });

  it('removes a directory only when it is empty', async () => {
    await session.makeDirectory(`${top}/d`);
    await session.create(`${top}/d/file`, Buffer.from('x'));
    expect(await session.removeDirectory(`${top}/d`)).toBe(false);
    await session.remove(`${top}/d/file`);
    expect([await session.removeDirectory(`${top}/d`), await session.removeDirectory(`${top}/d`)]).toEqual([
      true,
      false,
    ]);
  });

  it('does not write over a file that exists', async () => {
    await session.create(`${top}/file`, Buffer.from('x'));
    await expect(session.create(`${top}/file`, Buffer.from('y'))).rejects.toMatchObject({
      class: 'protocol',
    });
    expect(await session.read(`${top}/file`, 9)).toEqual(Buffer.from('x'));
  });

  it('never renames a file onto its own name', async () => {
    await session.create(`${top}/file`, Buffer.from('x'));
    await expect(session.replace(`${top}/file`, `${top}/file`)).rejects.toThrow(/own name/);
    expect(await session.read(`${top}/file`, 9)).toEqual(Buffer.from('x'));
  });

  it('keeps the target when there is nothing to replace it by', async () => {
    await session.create(`${top}/file`, Buffer.from('x'));
    await expect(session.replace(`${top}/missing`, `${top}/file`)).rejects.toMatchObject({
      class: 'protocol',
    });
    expect(await session.read(`${top}/file`, 9)).toEqual(Buffer.from('x'));
  });

  it('has many requests in flight at once', async () => {
    await Promise.all(
      Array.from({ length: 100 }, (_, index) => session.create(`${top}/f${index}`, Buffer.from(`${index}`))),
    );
    const contents = await Promise.all(
      Array.from({ length: 100 }, (_, index) => session.read(`${top}/f${index}`, 9)),
    );
    expect(contents.map(String)).toEqual(Array.from({ length: 100 }, (_, index) => `${index}`));
  });

  it('that is dropped fails every call under way, and every later one', async () => {
    node.interrupt = () => {
      node.killConnections();
      return 'drop';
    };
    const calls = await Promise.allSettled([
      session.list(top),
      session.read(`${top}/a`, 1),
      session.remove(`${top}/a`),
    ]);
    const later = await session.list(top).catch((error: unknown) => error);
    const unreachable = { class: 'unreachable', message: `127.0.0.1:${node.port} closed the connection` };
    expect(calls.map((call) => (call.status === 'rejected' ? (call.reason as unknown) : call))).toMatchObject(
      [unreachable, unreachable, unreachable],
    );
    expect(later).toMatchObject(unreachable);
  });

  it('whose server gives no answer ends a call in time', async () => {
    const slow = await site.start('slow', { latencyMs: 60_000 });
    const waiting = await open(site.target(slow), { requestTimeout: 50 });
    await expect(waiting.list(top)).rejects.toMatchObject({
      class: 'unreachable',
      message: `127.0.0.1:${slow.port} gave no answer over SFTP within 0.05 s`,
    });
  });

  it('refuses calls once it is closed, and may be closed twice', async () => {
    await session.close();
    await session.close();
    await expect(session.list(top)).rejects.toThrow(/closed/);
  });

  it('notices by keep-alive that a node has gone without a word', async () => {
    const pipes: Socket[] = [];
    const relay = await tcpServer((socket) => {
      const onward = connectTcp(node.port, '127.0.0.1').on('error', () => undefined);
      pipes.push(socket, onward);
      socket.pipe(onward).pipe(socket);
    });
    const relayed = await open(relay, { keepAliveInterval: 20 });
    await relayed.list(top);
    for (const socket of pipes) socket.unpipe().pause();
    await expect(relayed.list(top)).rejects.toMatchObject({
      class: 'unreachable',
      message: expect.stringContaining('Keepalive timeout') as string,
    });
    for (const socket of pipes) socket.destroy();
  });
});

describe('an abort', () => {
  const reason = new Error('enough');

  it('before the start makes no connection', async () => {
    const node = await site.start('win-1');
    await expect(open(site.target(node), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(node.connections).toBe(0);
  });

  it('ends the attempt to connect', async () => {
    const stop = new AbortController();
    const target = await tcpServer(() => {
      stop.abort(reason);
    });
    await expect(open(target, { signal: stop.signal })).rejects.toBe(reason);
  });

  it('ends a session with calls under way', async () => {
    const stop = new AbortController();
    const node = await site.start('win-1', { latencyMs: 60_000 });
    const session = await open(site.target(node), { signal: stop.signal });
    const call = session.list(top);
    stop.abort(reason);
    await expect(call).rejects.toBe(reason);
    await expect(session.read(top, 1)).rejects.toBe(reason);
  });
});
