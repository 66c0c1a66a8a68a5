import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type Client, type ConnectConfig, type FileEntryWithStats, type SFTPWrapper } from 'ssh2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  startSandboxNode,
  type SandboxNode,
  type SandboxNodeOptions,
} from '../../src/sandbox/sandbox-node.js';
import type { SandboxOperation } from '../../src/sandbox/sandbox-operation.js';
import { sftpStatus } from '../../src/sandbox/sftp-status.js';
import { generateSshKeyPair } from '../../src/sandbox/ssh-key-pair.js';

const userKey = generateSshKeyPair();
const strangerKey = generateSshKeyPair();

let drive: string;
let nodes: SandboxNode[];
let clients: Client[];

beforeEach(() => {
  drive = realpathSync(mkdtempSync(join(tmpdir(), 'mirrorgate-node-')));
  nodes = [];
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  for (const node of nodes) await node.close();
  rmSync(drive, { recursive: true, force: true });
});

async function startNode(options: Partial<SandboxNodeOptions> = {}): Promise<SandboxNode> {
  const node = await startSandboxNode({
    name: 'win-1',
    directory: drive,
    username: 'Administrator',
    authorizedKeys: [`${userKey.publicKey} someone@example`],
    ...options,
  });
  nodes.push(node);
  return node;
}

/** Logs in; rejects with the client's error. */
async function connect(node: SandboxNode, config: ConnectConfig = {}): Promise<Client> {
  const client = new ssh2.Client();
  clients.push(client);
  const ready = once(client, 'ready');
  // A connection that is reset later must not end the test.
  client.on('error', () => undefined);
  client.connect({
    host: node.address,
    port: node.port,
    username: node.username,
    privateKey: userKey.privateKey,
    ...config,
  });
  // The library writes a packet in pieces: without this each would wait for the last to be acknowledged.
  client.setNoDelay(true);
  await ready;
  return client;
}

/** Waits until a connection is closed, with or without an error before. */
function closing(client: Client): Promise<void> {
  return new Promise((resolve) => client.once('close', resolve));
}

/** Calls one method of the library that reports by callback. */
function call<Result>(
  work: (done: (error: Error | null | undefined, result?: Result) => void) => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    work((error, result) => {
      if (error) reject(error);
      else resolve(result as Result);
    });
  });
}

async function openSftp(node: SandboxNode): Promise<SFTPWrapper> {
  const client = await connect(node);
  return call<SFTPWrapper>((done) => client.sftp(done));
}

const open = (sftp: SFTPWrapper, path: string, flags: number | string) =>
  call<Buffer>((done) => {
    sftp.open(path, flags as ssh2.OpenMode, done);
  });
const close = (sftp: SFTPWrapper, handle: Buffer) =>
  call<undefined>((done) => {
    sftp.close(handle, done);
  });
const write = (sftp: SFTPWrapper, handle: Buffer, text: string, position: number) =>
  call<undefined>((done) => {
    sftp.write(handle, Buffer.from(text), 0, Buffer.byteLength(text), position, done);
  });
const mkdir = (sftp: SFTPWrapper, path: string) =>
  call<undefined>((done) => {
    sftp.mkdir(path, done);
  });
const rename = (sftp: SFTPWrapper, from: string, to: string) =>
  call<undefined>((done) => {
    sftp.rename(from, to, done);
  });
const unlink = (sftp: SFTPWrapper, path: string) =>
  call<undefined>((done) => {
    sftp.unlink(path, done);
  });
const rmdir = (sftp: SFTPWrapper, path: string) =>
  call<undefined>((done) => {
    sftp.rmdir(path, done);
  });
const stat = (sftp: SFTPWrapper, path: string) =>
  call<ssh2.Stats>((done) => {
    sftp.stat(path, done);
  });
const realpath = (sftp: SFTPWrapper, path: string) =>
  call<string>((done) => {
    sftp.realpath(path, done);
  });
const readdir = (sftp: SFTPWrapper, path: string) =>
  call<FileEntryWithStats[]>((done) => {
    sftp.readdir(path, done);
  });
const readFile = (sftp: SFTPWrapper, path: string) =>
  call<Buffer>((done) => {
    sftp.readFile(path, done);
  });
const writeFile = (sftp: SFTPWrapper, path: string, content: string | Buffer) =>
  call<undefined>((done) => {
    sftp.writeFile(path, content, done);
  });

/** Where the files that this process has open can be counted. */
const openFiles = '/proc/self/fd';
const descriptors = () => readdirSync(openFiles).length;
const countable = existsSync(openFiles);

const { OPEN_MODE } = ssh2.utils.sftp;
const noSuchFile = { code: sftpStatus.noSuchFile, message: 'No such file' };
const permissionDenied = { code: sftpStatus.permissionDenied, message: 'Permission denied' };
const failure = { code: sftpStatus.failure, message: 'Failure' };
const unsupported = { code: sftpStatus.unsupported, message: 'Operation unsupported' };

describe('a sandbox node: logging in', () => {
  it('listens on the loopback interface alone', async () => {
    const node = await startNode();
    expect(node.address).toBe('127.0.0.1');
    expect(node.port).toBeGreaterThan(0);
    const others = Object.values(networkInterfaces())
      .flat()
      .filter((face) => face !== undefined && !face.internal && face.family === 'IPv4');
    for (const other of others) {
      const socket = connectSocket(node.port, other!.address);
      await expect(once(socket, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    }
  });

  it('shows the host key that it was given, and a new one to each node without', async () => {
    const hostKey = generateSshKeyPair();
    const given = await startNode({ hostKey: hostKey.privateKey });
    const made = [await startNode(), await startNode()];
    expect(given.hostKey).toBe(hostKey.publicKey);
    expect(made[0]!.hostKey).not.toBe(made[1]!.hostKey);
    for (const node of [given, ...made]) {
      const seen: Buffer[] = [];
      await connect(node, {
        hostVerifier: (key: Buffer) => {
          seen.push(key);
          return true;
        },
      });
      expect(`ssh-ed25519 ${seen[0]!.toString('base64')}`).toBe(node.hostKey);
    }
  });

  it.each([
    ['an RSA key', { type: 'rsa', options: { bits: 2048 } }],
    ['an ECDSA key', { type: 'ecdsa', options: { bits: 256 } }],
  ] as const)('lets %s in, and takes one as host key', async (_, { type, options }) => {
    const pair = ssh2.utils.generateKeyPairSync(type as 'rsa', options as { bits: number });
    const node = await startNode({ authorizedKeys: [userKey.publicKey, pair.public], hostKey: pair.private });
    await expect(connect(node, { privateKey: pair.private })).resolves.toBeDefined();
    expect(node.hostKey.split(' ')[1]).toBe(pair.public.split(' ')[1]);
  });

  it('says which key it cannot read, and does not show it', async () => {
    await expect(startNode({ authorizedKeys: [userKey.publicKey, 'nonsense'] })).rejects.toThrow(
      'authorized key 2 is not an SSH key',
    );
    await expect(startNode({ hostKey: 'nonsense' })).rejects.toThrow('the host key is not an SSH key');
  });

  it.each([
    ['a key that is not authorized', { privateKey: strangerKey.privateKey }],
    ['another user with the right key', { username: 'administrator2' }],
    ['a password', { privateKey: undefined as unknown as string, password: 'password' }],
    ['nothing at all', { privateKey: undefined as unknown as string }],
  ])('refuses %s', async (_, config) => {
    const node = await startNode();
    await expect(connect(node, config)).rejects.toMatchObject({ level: 'client-authentication' });
    expect(node.sessionsBegun).toBe(0);
  });

  it('refuses the right public key with a signature of another key', async () => {
    const node = await startNode();
    const right = ssh2.utils.parseKey(userKey.publicKey) as ssh2.ParsedKey;
    const wrong = ssh2.utils.parseKey(strangerKey.privateKey) as ssh2.ParsedKey;
    let signatures = 0;
    const agent = new (class extends ssh2.BaseAgent<ssh2.ParsedKey> {
      override getIdentities(done: (error: Error | null, keys?: ssh2.ParsedKey[]) => void): void {
        done(null, [right]);
      }
      override sign(...parameters: unknown[]): void {
        signatures += 1;
        const done = parameters.at(-1) as (error: Error | null, signature: Buffer) => void;
        done(null, wrong.sign(parameters[1] as Buffer));
      }
    })();
    const attempt = connect(node, { privateKey: undefined as unknown as string, agent });
    await expect(attempt).rejects.toMatchObject({ level: 'client-authentication' });
    // The key alone was acceptable: it came to the signature.
    expect(signatures).toBe(1);
  });

  it('offers neither a command nor a shell, no other subsystem and no forwarding', async () => {
    const client = await connect(await startNode());
    await expect(call((done) => client.exec('whoami', done))).rejects.toThrow();
    await expect(call((done) => client.shell(done))).rejects.toThrow();
    await expect(call((done) => client.subsys('netconf', done))).rejects.toThrow();
    await expect(call((done) => client.forwardOut('127.0.0.1', 1, '127.0.0.1', 2, done))).rejects.toThrow();
    await expect(call((done) => client.forwardIn('127.0.0.1', 0, done))).rejects.toThrow();
    await expect(call((done) => client.sftp(done))).resolves.toBeDefined();
  });

  it('survives what is not SSH', async () => {
    const node = await startNode();
    const socket = connectSocket(node.port, node.address);
    await once(socket, 'connect');
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\n\r\n');
    socket.resume();
    await once(socket, 'close');
    await expect(connect(node)).resolves.toBeDefined();
  });
});

describe('a sandbox node: files', () => {
  it('keeps files where a person can look, by whatever form of path they are written', async () => {
    const node = await startNode();
    const sftp = await openSftp(node);
    await mkdir(sftp, '/C:/k');
    await mkdir(sftp, 'C:\\k\\quay.io');
    await writeFile(sftp, 'C:/k/quay.io/hosts.toml', 'server = "https://quay.io/v2"\n');
    const local = join(drive, 'k', 'quay.io', 'hosts.toml');
    expect(readFileSync(local, 'utf8')).toBe('server = "https://quay.io/v2"\n');
    expect(node.resolve('C:\\K\\QUAY.IO\\Hosts.toml')).toBe(local);
    expect(statSync(local).mode & 0o077).toBe(0);
    expect(await readFile(sftp, '/c:/K/./x/../Quay.io/HOSTS.TOML')).toEqual(readFileSync(local));
  });

  it('answers real paths in the form /C:/…, relative ones from the home of the user', async () => {
    const sftp = await openSftp(await startNode());
    expect(await realpath(sftp, '.')).toBe('/C:/Users/Administrator');
    expect(await realpath(sftp, 'C:\\k\\..\\a\\.\\B')).toBe('/C:/a/B');
    expect(await realpath(sftp, '/c:')).toBe('/C:/');
    expect(await realpath(sftp, '/C:/../..')).toBe('/C:/');
    expect(await realpath(sftp, '/')).toBe('/');
  });

  it.each([
    ['/D:/k', noSuchFile],
    ['/k', noSuchFile],
    ['/C:/a:b', failure],
    ['/C:/a*b', failure],
    ['/C:/nul', failure],
    ['/C:/COM¹.txt', failure],
    ['/C:/a.', failure],
    ['/C:/a ', failure],
    ['/C:/a\u0001', failure],
    ['/C:/missing/a', noSuchFile],
    [`/C:/${'long/'.repeat(60)}a`, { code: sftpStatus.badMessage, message: 'Bad message' }],
  ])('makes nothing at %j', async (path, status) => {
    const sftp = await openSftp(await startNode());
    await expect(mkdir(sftp, path)).rejects.toMatchObject(status);
    await expect(open(sftp, path, 'w')).rejects.toMatchObject(status);
    await expect(stat(sftp, path)).rejects.toMatchObject(status);
    expect(readdirSync(drive)).toEqual([]);
  });

  it('does what the flags of OPEN say', async () => {
    const sftp = await openSftp(await startNode());
    const path = '/C:/file';
    const text = () => readFileSync(join(drive, 'file'), 'utf8');
    await expect(open(sftp, path, OPEN_MODE.READ)).rejects.toMatchObject(noSuchFile);
    await expect(open(sftp, path, OPEN_MODE.WRITE)).rejects.toMatchObject(noSuchFile);

    const made = await open(sftp, path, OPEN_MODE.WRITE | OPEN_MODE.CREAT | OPEN_MODE.EXCL);
    await write(sftp, made, 'world', 6);
    await write(sftp, made, 'hello ', 0);
    await expect(
      call((done) => {
        sftp.read(made, Buffer.alloc(1), 0, 1, 0, done);
      }),
    ).rejects.toMatchObject(permissionDenied);
    await close(sftp, made);
    expect(text()).toBe('hello world');
    const exclusive = open(sftp, path, OPEN_MODE.WRITE | OPEN_MODE.CREAT | OPEN_MODE.EXCL);
    await expect(exclusive).rejects.toMatchObject(failure);

    const both = await open(sftp, path, OPEN_MODE.READ | OPEN_MODE.WRITE | OPEN_MODE.CREAT);
    await write(sftp, both, 'HELLO', 0);
    const middle = Buffer.alloc(5);
    await call((done) => {
      sftp.read(both, middle, 0, 5, 3, done);
    });
    expect(middle.toString()).toBe('LO wo');
    await close(sftp, both);

    const appending = await open(sftp, path, OPEN_MODE.WRITE | OPEN_MODE.APPEND);
    await write(sftp, appending, '!', 0);
    await write(sftp, appending, '?', 0);
    await close(sftp, appending);
    expect(text()).toBe('HELLO world!?');

    const read = await open(sftp, path, OPEN_MODE.READ);
    await expect(write(sftp, read, 'x', 0)).rejects.toMatchObject(permissionDenied);
    await close(sftp, read);
    await close(sftp, await open(sftp, path, OPEN_MODE.WRITE | OPEN_MODE.TRUNC));
    expect(text()).toBe('');
  });

  it('carries a file that takes many packets, both ways', async () => {
    const sftp = await openSftp(await startNode());
    const content = Buffer.from(
      Array.from({ length: 300_000 }, (_, index) => (index * 7 + (index >> 8)) % 251),
    );
    await writeFile(sftp, '/C:/big', content);
    expect(readFileSync(join(drive, 'big')).equals(content)).toBe(true);
    expect((await readFile(sftp, '/C:/big')).equals(content)).toBe(true);
    // Many reads and writes under way at the same time.
    await call((done) => {
      sftp.fastGet('/C:/big', join(drive, 'copy'), { concurrency: 16, chunkSize: 8_192 }, done);
    });
    await call((done) => {
      sftp.fastPut(join(drive, 'copy'), '/C:/again', { concurrency: 16, chunkSize: 8_192 }, done);
    });
    expect(readFileSync(join(drive, 'again')).equals(content)).toBe(true);
  });

  it('answers the end of a file as such, also beyond it', async () => {
    const sftp = await openSftp(await startNode());
    await writeFile(sftp, '/C:/file', 'text');
    const handle = await open(sftp, '/C:/file', 'r');
    for (const offset of [4, 5_000_000_000]) {
      const count = await call<number>((done) => {
        sftp.read(handle, Buffer.alloc(8), 0, 8, offset, done);
      });
      expect(count).toBe(0);
    }
    const short = await call<number>((done) => {
      sftp.read(handle, Buffer.alloc(8), 0, 8, 1, done);
    });
    expect(short).toBe(3);
  });

  it('tells and changes attributes as Windows has them', async () => {
    const sftp = await openSftp(await startNode());
    await mkdir(sftp, '/C:/k');
    await writeFile(sftp, '/C:/k/file', 'text');
    const directory = await stat(sftp, '/C:/k');
    expect(directory.isDirectory()).toBe(true);
    expect(await stat(sftp, '/C:/k/file')).toMatchObject({ size: 4, mode: 0o100666, uid: 0, gid: 0 });
    await expect(stat(sftp, '/C:/k/missing')).rejects.toMatchObject(noSuchFile);

    await call((done) => {
      sftp.utimes('/C:/k/file', 1_000, 2_000, done);
    });
    const times = await call<ssh2.Stats>((done) => {
      sftp.lstat('/C:/k/file', done);
    });
    expect(times).toMatchObject({ atime: 1_000, mtime: 2_000 });

    const handle = await open(sftp, '/C:/k/file', 'r+');
    await call((done) => {
      sftp.fsetstat(handle, { size: 2 }, done);
    });
    const opened = await call<ssh2.Stats>((done) => {
      sftp.fstat(handle, done);
    });
    expect(opened.size).toBe(2);
    await close(sftp, handle);

    await call((done) => {
      sftp.chmod('/C:/k/file', 0o444, done);
    });
    expect((await stat(sftp, '/C:/k/file')).mode).toBe(0o100444);
    await expect(open(sftp, '/C:/k/file', 'w')).rejects.toMatchObject(permissionDenied);
    await expect(unlink(sftp, '/C:/k/file')).rejects.toMatchObject(permissionDenied);
    const owner = call((done) => {
      sftp.chown('/C:/k/file', 1, 1, done);
    });
    await expect(owner).rejects.toMatchObject(failure);
  });

  it('lists a directory page by page up to its end', async () => {
    const sftp = await openSftp(await startNode());
    mkdirSync(join(drive, 'many'));
    const names = Array.from({ length: 250 }, (_, index) => `file-${String(index).padStart(3, '0')}`);
    for (const name of names) writeFileSync(join(drive, 'many', name), name);
    expect((await readdir(sftp, '/C:/MANY')).map(({ filename }) => filename)).toEqual(names);

    const handle = await call<Buffer>((done) => {
      sftp.opendir('/C:/many', done);
    });
    const pages: FileEntryWithStats[][] = [];
    const next = () =>
      call<FileEntryWithStats[]>((done) => {
        // "full" keeps the entries "." and ".." that the library would take out.
        (sftp.readdir as (...parameters: unknown[]) => void)(handle, { full: true }, done);
      });
    for (let page = 0; page < 3; page += 1) pages.push(await next());
    expect(pages.map((page) => page.length)).toEqual([100, 100, 52]);
    expect(pages[0]!.slice(0, 2).map(({ filename }) => filename)).toEqual(['.', '..']);
    expect(pages[2]!.at(-1)).toMatchObject({ attrs: { size: 8 } });
    expect(pages[2]!.at(-1)!.longname).toMatch(/^-rw-rw-rw- .* 8 .* file-249$/);
    await expect(next()).rejects.toMatchObject({ code: sftpStatus.endOfFile });
    await close(sftp, handle);
    await expect(readdir(sftp, '/C:/missing')).rejects.toMatchObject(noSuchFile);
    await expect(readdir(sftp, '/C:/many/file-000')).rejects.toMatchObject(noSuchFile);
  });

  it('removes files and empty directories, and nothing else', async () => {
    const sftp = await openSftp(await startNode());
    await mkdir(sftp, '/C:/k');
    await expect(mkdir(sftp, '/C:/K')).rejects.toMatchObject(failure);
    await writeFile(sftp, '/C:/k/file', 'text');
    await expect(rmdir(sftp, '/C:/k')).rejects.toMatchObject(failure);
    await expect(rmdir(sftp, '/C:/k/file')).rejects.toMatchObject(failure);
    await expect(unlink(sftp, '/C:/k')).rejects.toMatchObject(permissionDenied);
    await unlink(sftp, '/C:/K/FILE');
    await expect(unlink(sftp, '/C:/k/file')).rejects.toMatchObject(noSuchFile);
    await rmdir(sftp, '/C:/k');
    expect(readdirSync(drive)).toEqual([]);
  });

  it('refuses to rename over a file, and deletes one that is renamed onto itself', async () => {
    const sftp = await openSftp(await startNode());
    await writeFile(sftp, '/C:/new', 'new');
    await writeFile(sftp, '/C:/old', 'old');
    await expect(rename(sftp, '/C:/new', '/C:/OLD')).rejects.toMatchObject(failure);
    expect(readFileSync(join(drive, 'old'), 'utf8')).toBe('old');
    await unlink(sftp, '/C:/old');
    await rename(sftp, '/C:/new', '/C:/old');
    expect(readFileSync(join(drive, 'old'), 'utf8')).toBe('new');
    await expect(rename(sftp, '/C:/old', '/C:/Old')).rejects.toMatchObject(noSuchFile);
    expect(readdirSync(drive)).toEqual([]);
  });

  it('lets an open file be renamed and removed, and goes on serving its handle', async () => {
    const sftp = await openSftp(await startNode());
    const handle = await open(sftp, '/C:/file', 'w+');
    await rename(sftp, '/C:/file', '/C:/other');
    await write(sftp, handle, 'text', 0);
    expect(readFileSync(join(drive, 'other'), 'utf8')).toBe('text');
    await unlink(sftp, '/C:/other');
    expect(existsSync(join(drive, 'other'))).toBe(false);
    await write(sftp, handle, 'more', 0);
    await close(sftp, handle);
  });

  it('has no links and no extensions', async () => {
    const node = await startNode();
    const sftp = await openSftp(node);
    await writeFile(sftp, '/C:/file', 'text');
    const renamed = () =>
      call((done) => {
        sftp.ext_openssh_rename('/C:/file', '/C:/other', done);
      });
    // The library refuses by itself what was not advertised …
    expect(() => {
      sftp.ext_openssh_rename('/C:/file', '/C:/other', () => undefined);
    }).toThrow('does not support');
    // … unless it is told that it was.
    const { _extensions: extensions } = sftp as unknown as { _extensions: Record<string, string> };
    expect(extensions).toEqual({});
    extensions['posix-rename@openssh.com'] = '1';
    await expect(renamed()).rejects.toMatchObject(unsupported);
    const link = call((done) => {
      sftp.symlink('/C:/file', '/C:/link', done);
    });
    await expect(link).rejects.toMatchObject(unsupported);
    const target = call((done) => {
      sftp.readlink('/C:/file', done);
    });
    await expect(target).rejects.toMatchObject(unsupported);
    expect(node.operations.slice(-3)).toEqual([
      { kind: 'extended', path: 'posix-rename@openssh.com' },
      { kind: 'symlink', path: '/C:/file', to: '/C:/link' },
      { kind: 'readlink', path: '/C:/file' },
    ]);
    expect(readdirSync(drive)).toEqual(['file']);
  });

  it('knows a handle in its session only, and only until it is closed', async () => {
    const node = await startNode();
    const [one, other] = [await openSftp(node), await openSftp(node)];
    const handle = await open(one, '/C:/file', 'w');
    await expect(write(other, handle, 'x', 0)).rejects.toMatchObject(failure);
    await expect(close(other, handle)).rejects.toMatchObject(failure);
    await close(one, handle);
    await expect(write(one, handle, 'x', 0)).rejects.toMatchObject(failure);
    await expect(close(one, handle)).rejects.toMatchObject(failure);
    const directory = await call<Buffer>((done) => {
      one.opendir('/C:/', done);
    });
    await expect(write(one, directory, 'x', 0)).rejects.toMatchObject(failure);
  });

  it.each([0, 5])(
    'carries requests out in their order when none waits for an answer, at %i ms',
    async (latencyMs) => {
      const node = await startNode({ latencyMs });
      const sftp = await openSftp(node);
      const names = Array.from({ length: 40 }, (_, index) => `host-${index}`);
      await Promise.all(
        names.flatMap((name) => [
          mkdir(sftp, `/C:/${name}`),
          open(sftp, `/C:/${name}/new`, 'w').then(async (handle) => {
            await Promise.all([
              write(sftp, handle, name, 0),
              write(sftp, handle, '!', name.length),
              close(sftp, handle),
            ]);
            await rename(sftp, `/C:/${name}/new`, `/C:/${name}/hosts.toml`);
          }),
        ]),
      );
      for (const name of names) {
        expect(readFileSync(join(drive, name, 'hosts.toml'), 'utf8')).toBe(`${name}!`);
        expect(readdirSync(join(drive, name))).toEqual(['hosts.toml']);
      }
    },
  );

  it('serves several clients at once on one drive', async () => {
    const node = await startNode();
    const sessions = await Promise.all(Array.from({ length: 6 }, () => openSftp(node)));
    expect(node.connections).toBe(6);
    expect(node.sessionsBegun).toBe(6);
    const made = await Promise.allSettled(
      sessions.map((sftp, index) => mkdir(sftp, index % 2 ? '/C:/k' : '/C:/K')),
    );
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await Promise.all(sessions.map((sftp, index) => writeFile(sftp, `/C:/k/${index}`, `text ${index}`)));
    const first = sessions[0]!;
    expect((await readFile(first, '/C:/k/5')).toString()).toBe('text 5');
  });
});

describe('a sandbox node: watching and breaking', () => {
  it('records what is done, in order and without content', async () => {
    const seen: SandboxOperation[] = [];
    const node = await startNode({ onOperation: (operation) => seen.push(operation) });
    const sftp = await openSftp(node);
    await mkdir(sftp, 'C:\\k');
    const handle = await open(sftp, '/C:/k/new', 'w');
    await write(sftp, handle, 'secret', 0);
    await close(sftp, handle);
    await rename(sftp, '/C:/k/new', '/C:/k/hosts.toml');
    await readdir(sftp, '/C:/k');
    await expect(stat(sftp, '/C:/a:b')).rejects.toMatchObject(failure);
    const expected: SandboxOperation[] = [
      { kind: 'mkdir', path: '/C:/k' },
      { kind: 'open-write', path: '/C:/k/new' },
      { kind: 'write', path: '/C:/k/new' },
      { kind: 'close', path: '/C:/k/new' },
      { kind: 'rename', path: '/C:/k/new', to: '/C:/k/hosts.toml' },
      { kind: 'opendir', path: '/C:/k' },
      { kind: 'readdir', path: '/C:/k' },
      { kind: 'readdir', path: '/C:/k' },
      { kind: 'close', path: '/C:/k' },
      { kind: 'stat', path: '/C:/a:b' },
    ];
    expect(node.operations).toEqual(expected);
    expect(seen).toEqual(expected);
    expect(JSON.stringify(seen)).not.toContain('secret');
    expect(node.takeOperations()).toEqual(expected);
    expect(node.operations).toEqual([]);
  });

  it('answers with the failure it is told to, in place of the operation', async () => {
    const node = await startNode();
    const sftp = await openSftp(node);
    node.interrupt = ({ kind }) => {
      if (kind === 'mkdir') return { status: sftpStatus.permissionDenied };
      if (kind === 'write') return { status: sftpStatus.failure, message: 'No space left on device' };
      return 'continue';
    };
    await expect(mkdir(sftp, '/C:/k')).rejects.toMatchObject(permissionDenied);
    const handle = await open(sftp, '/C:/file', 'w');
    const full = { code: sftpStatus.failure, message: 'No space left on device' };
    await expect(write(sftp, handle, 'text', 0)).rejects.toMatchObject(full);
    expect(statSync(join(drive, 'file')).size).toBe(0);
    node.interrupt = undefined;
    await write(sftp, handle, 'text', 0);
    await mkdir(sftp, '/C:/k');
  });

  it('drops the connection before the operation it is told to, and serves the next connection', async () => {
    const node = await startNode();
    const client = await connect(node);
    const sftp = await call<SFTPWrapper>((done) => client.sftp(done));
    await writeFile(sftp, '/C:/new', 'text');
    node.interrupt = ({ kind }) => (kind === 'rename' ? 'drop' : 'continue');
    const closed = closing(client);
    await expect(rename(sftp, '/C:/new', '/C:/old')).rejects.toThrow();
    await closed;
    expect(node.takeOperations().at(-1)).toEqual({ kind: 'rename', path: '/C:/new', to: '/C:/old' });
    expect(readdirSync(drive)).toEqual(['new']);
    node.interrupt = undefined;
    await rename(await openSftp(node), '/C:/new', '/C:/old');
  });

  it('resets all connections when told to, and accepts new ones', async () => {
    const node = await startNode();
    const all = [await connect(node), await connect(node)];
    const closed = all.map(closing);
    node.killConnections();
    await Promise.all(closed);
    await openSftp(node);
    expect(node.connections).toBe(1);
  });

  it.runIf(countable)('closes the handles of a connection that goes away', async () => {
    const node = await startNode();
    // Sockets and the like come and go: only the many files of the session count.
    const before = descriptors();
    const client = await connect(node);
    const sftp = await call<SFTPWrapper>((done) => client.sftp(done));
    await Promise.all(Array.from({ length: 100 }, (_, index) => open(sftp, `/C:/${index}`, 'w')));
    expect(descriptors()).toBeGreaterThanOrEqual(before + 100);
    const closed = closing(client);
    node.killConnections();
    await closed;
    await expect.poll(() => node.connections).toBe(0);
    expect(descriptors()).toBeLessThan(before + 50);
  });

  it.runIf(countable)('closes the handles of a session that ends while its connection stays', async () => {
    const node = await startNode();
    const client = await connect(node);
    for (let round = 0; round < 3; round += 1) {
      const before = descriptors();
      const sftp = await call<SFTPWrapper>((done) => client.sftp(done));
      await Promise.all(Array.from({ length: 60 }, (_, index) => open(sftp, `/C:/${index}`, 'w')));
      const ended = once(sftp, 'close');
      sftp.end();
      await ended;
      await expect.poll(descriptors).toBeLessThan(before + 30);
    }
    expect(node.connections).toBe(1);
  });

  it('fails a close after a fault in serving, so that no test passes over it', async () => {
    const node = await startNode({
      onOperation: () => {
        throw new Error('broken observer');
      },
    });
    nodes.pop();
    const sftp = await openSftp(node);
    await expect(mkdir(sftp, '/C:/k')).rejects.toThrow();
    await expect(node.close()).rejects.toThrow('sandbox node win-1 failed while serving');
  });

  it('closes with clients connected and requests under way, and can be started again on its port', async () => {
    const hostKey = generateSshKeyPair().privateKey;
    const node = await startNode({ hostKey, latencyMs: 60_000 });
    const sftp = await openSftp(node);
    const pending = mkdir(sftp, '/C:/k');
    await Promise.all([expect(pending).rejects.toThrow(), node.close()]);
    await node.close();
    expect(readdirSync(drive)).toEqual([]);
    const again = await startNode({ hostKey, port: node.port });
    expect(again).toMatchObject({ port: node.port, hostKey: node.hostKey });
    await mkdir(await openSftp(again), '/C:/k');
    await expect(startNode({ port: node.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
