import type { SFTPWrapper } from 'ssh2';
import { describe, expect, it } from 'vitest';
import { SftpSession, type SessionOptions } from '../../../src/distribution/sftp-session.js';
import type { TargetNode } from '../../../src/distribution/target-node.js';

const node: TargetNode = {
  name: 'win-1',
  address: '10.0.0.5',
  port: 22,
  username: 'Administrator',
  privateKey: '',
  root: 'C:\\k',
};
const failure = Object.assign(new Error('Failure'), { code: 4 });

type Callback = (error?: Error, ...values: unknown[]) => void;

/** An SFTP channel to a server with OpenSSH's extensions, which the sandbox's server lacks. */
function sessionWith(
  methods: Record<string, (...given: unknown[]) => void>,
  options: SessionOptions = {},
): {
  readonly session: SftpSession;
  readonly calls: string[];
} {
  const calls: string[] = [];
  const succeed = (...given: unknown[]): void => {
    (given.at(-1) as Callback)(undefined, Buffer.from('handle'));
  };
  const sftp = Object.fromEntries(
    [
      'open',
      'write',
      'close',
      'rename',
      'unlink',
      'opendir',
      'readdir',
      'mkdir',
      'stat',
      'ext_openssh_rename',
      'ext_openssh_fsync',
      'ext_openssh_statvfs',
    ].map((name) => [
      name,
      (...given: unknown[]) => {
        calls.push(name);
        (methods[name] ?? succeed)(...given);
      },
    ]),
  );
  const connection = {
    sftp: sftp as unknown as SFTPWrapper,
    onLost: () => undefined,
    end: () => Promise.resolve(),
  };
  return { session: new SftpSession(node, connection, options), calls };
}

const fail = (...given: unknown[]): void => {
  (given.at(-1) as Callback)(failure);
};
const notOffered = (): void => {
  throw new Error('Server does not support this extended request');
};
const freeBlocks =
  (blocks: number) =>
  (...given: unknown[]): void => {
    (given.at(-1) as Callback)(undefined, { f_bavail: blocks, f_frsize: 512 });
  };

describe('a session that may not go on', () => {
  it('sends no further request, in the middle of a file neither, and says why', async () => {
    const over = new Error('somebody else is at it');
    let mayGoOn = true;
    const check = () => {
      if (!mayGoOn) throw over;
    };
    const { session, calls } = sessionWith(
      {
        open: (...given) => {
          mayGoOn = false;
          (given.at(-1) as Callback)(undefined, Buffer.from('handle'));
        },
      },
      { check },
    );
    await expect(session.create('/C:/k/new', Buffer.from('text'))).rejects.toBe(over);
    expect(calls).toEqual(['open']);

    mayGoOn = true;
    await expect(session.remove('/C:/k/old')).rejects.toBe(over);
    expect(calls).toEqual(['open']);
  });
});

describe('a server with posix-rename', () => {
  it('replaces a file in one step, and never removes the old one first', async () => {
    const { session, calls } = sessionWith({});
    await session.replace('/C:/k/new', '/C:/k/old');
    expect(calls).toEqual(['ext_openssh_rename']);
  });

  it('that refuses is not asked to do it in steps', async () => {
    const { session, calls } = sessionWith({ ext_openssh_rename: fail });
    await expect(session.replace('/C:/k/new', '/C:/k/old')).rejects.toMatchObject({
      class: 'protocol',
      message: 'could not replace C:\\k\\old (Failure)',
    });
    expect(calls).toEqual(['ext_openssh_rename']);
  });
});

describe('a server without extensions', () => {
  it('replaces a file by removing the old one once the rename is refused', async () => {
    let renames = 0;
    const { session, calls } = sessionWith({
      ext_openssh_rename: notOffered,
      rename: (...given) => {
        (given.at(-1) as Callback)((renames += 1) === 1 ? failure : undefined);
      },
    });
    await session.replace('/C:/k/new', '/C:/k/old');
    expect(calls).toEqual(['ext_openssh_rename', 'rename', 'unlink', 'rename']);
  });

  it('that keeps the old file, or the new one, where it is tells why', async () => {
    const denied = Object.assign(new Error('Permission denied'), { code: 3 });
    const refuse = (...given: unknown[]): void => {
      (given.at(-1) as Callback)(denied);
    };
    const steps = { ext_openssh_rename: notOffered, rename: fail };
    const { session: kept } = sessionWith({ ...steps, unlink: refuse });
    await expect(kept.replace('/C:/k/new', '/C:/k/old')).rejects.toMatchObject({ class: 'permission' });
    const { session: stuck } = sessionWith(steps);
    await expect(stuck.replace('/C:/k/new', '/C:/k/old')).rejects.toMatchObject({
      message: 'could not replace C:\\k\\old (Failure)',
    });
  });

  it('is not asked to flush', async () => {
    const { session, calls } = sessionWith({ ext_openssh_fsync: notOffered });
    await session.create('/C:/k/new', Buffer.from('x'));
    expect(calls).toEqual(['open', 'write', 'ext_openssh_fsync', 'close']);
  });
});

describe('a failure while writing', () => {
  it.each(['open', 'write', 'ext_openssh_fsync', 'close'])(
    'of %s is a full disk when there is no room',
    async (step) => {
      const { session } = sessionWith({ [step]: fail, ext_openssh_statvfs: freeBlocks(0) });
      await expect(session.create('/C:/k/new', Buffer.from('x'))).rejects.toMatchObject({
        class: 'disk-full',
      });
    },
  );

  it('of a directory is a full disk when there is no room, and something else when there is', async () => {
    const refused = { mkdir: fail, stat: fail };
    const { session } = sessionWith({ ...refused, ext_openssh_statvfs: freeBlocks(0) });
    await expect(session.makeDirectory('/C:/k/new')).rejects.toMatchObject({ class: 'disk-full' });
    const { session: roomy } = sessionWith({ ...refused, ext_openssh_statvfs: freeBlocks(1) });
    await expect(roomy.makeDirectory('/C:/k/new')).rejects.toMatchObject({ class: 'protocol' });
  });

  it('is something else when there is room', async () => {
    const { session } = sessionWith({ write: fail, ext_openssh_statvfs: freeBlocks(1) });
    await expect(session.create('/C:/k/new', Buffer.alloc(512))).rejects.toMatchObject({ class: 'protocol' });
  });

  it('is a full disk when the room is less than the file takes', async () => {
    const { session } = sessionWith({ write: fail, ext_openssh_statvfs: freeBlocks(1) });
    await expect(session.create('/C:/k/new', Buffer.alloc(513))).rejects.toMatchObject({
      class: 'disk-full',
    });
  });

  it.each([
    ['cannot say', fail],
    ['does not offer to say', notOffered],
  ])('is something else when the server %s how much room there is', async (_, statvfs) => {
    const { session } = sessionWith({ write: fail, ext_openssh_statvfs: statvfs });
    await expect(session.create('/C:/k/new', Buffer.from('x'))).rejects.toMatchObject({ class: 'protocol' });
  });
});

describe('a listing', () => {
  /** Gives the pages one after another, and then says that there is no more. */
  const pages = (...listed: readonly unknown[][]) => {
    const left = [...listed];
    return (...given: unknown[]): void => {
      const [page, end] = [left.shift(), Object.assign(new Error('End of file'), { code: 1 })];
      (given.at(-1) as Callback)(page === undefined ? end : undefined, page);
    };
  };

  it('goes on until the server says that there is no more, and closes the handle', async () => {
    const file = (filename: string) => [{ filename, longname: '-rw-r--r--', attrs: { size: 1 } }];
    for (const names of [[], ['a'], ['a', 'b'], ['a', 'b', 'c', 'd', 'e']]) {
      const { session, calls } = sessionWith({ readdir: pages(...names.map(file)) });
      expect((await session.list('/C:/k'))?.map(({ name }) => name)).toEqual(names);
      expect(calls.at(0)).toBe('opendir');
      expect(calls.at(-1)).toBe('close');
    }
  });

  it('that fails on the way is an error, and closes the handle', async () => {
    const { session, calls } = sessionWith({ readdir: fail });
    await expect(session.list('/C:/k')).rejects.toMatchObject({
      message: 'could not list C:\\k (Failure)',
    });
    expect(calls.at(-1)).toBe('close');
  });

  it('goes by the long name where the server sends no mode, and takes a link for neither', async () => {
    const { session } = sessionWith({
      readdir: pages([
        { filename: 'd', longname: 'drwxr-xr-x', attrs: {} },
        { filename: 'f', longname: '-rw-r--r--', attrs: { size: 3 } },
        { filename: 'l', longname: 'lrwxrwxrwx', attrs: {} },
        { filename: 'link', longname: 'drwxr-xr-x', attrs: { mode: 0o120777 } },
      ]),
    });
    expect(await session.list('/C:/k')).toEqual([
      { name: 'd', kind: 'directory', size: undefined },
      { name: 'f', kind: 'file', size: 3 },
      { name: 'l', kind: 'other', size: undefined },
      { name: 'link', kind: 'other', size: undefined },
    ]);
  });
});
