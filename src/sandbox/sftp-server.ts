import { fchmodSync, fstatSync, ftruncateSync, futimesSync, readSync, writeSync } from 'node:fs';
import ssh2, { type Attributes, type SFTPWrapper } from 'ssh2';
import type { SandboxOperation, SandboxOperationKind } from './sandbox-operation.js';
import { attributesOf, fileEntryOf } from './sftp-attributes.js';
import { SftpHandles, type SftpHandle } from './sftp-handles.js';
import { SftpRequestRunner, type SftpRequestRunnerOptions } from './sftp-request-runner.js';
import { sftpStatus } from './sftp-status.js';
import { localMode, VolumeFault, type AttributeChange, type WindowsVolume } from './windows-volume.js';

const { OPEN_MODE } = ssh2.utils.sftp;

/** The most bytes one READ is answered with: a client must cope with less than it asked for. */
const longestRead = 64 * 1024;

/** Entries in one answer to READDIR, as many as OpenSSH sends. */
const pageOfEntries = 100;

export interface SftpServerOptions extends SftpRequestRunnerOptions {
  readonly volume: WindowsVolume;
}

/**
 * Serves one SFTP session, version 3 without extensions, on a Windows volume. Requests are carried out one after
 * another in the order of their arrival, as OpenSSH does, so a client may send the next before the answer to the last.
 * Ends with the channel or its connection, and closes all handles then.
 */
export function serveSftp(sftp: SFTPWrapper, options: SftpServerOptions): void {
  const { volume } = options;
  const handles = new SftpHandles();
  const requests = new SftpRequestRunner(sftp, options);

  function onPath(kind: SandboxOperationKind, path: string, to?: string): () => SandboxOperation {
    return () => {
      const operation = { kind, path: absolute(volume, path) };
      return to === undefined ? operation : { ...operation, to: absolute(volume, to) };
    };
  }

  function onHandle(kind: SandboxOperationKind, name: Buffer): () => SandboxOperation {
    return () => ({ kind, path: handles.get(name)?.path ?? '' });
  }

  function fileOf(name: Buffer): SftpHandle & { kind: 'file' } {
    const handle = handles.get(name);
    if (handle?.kind !== 'file') throw new VolumeFault('failure', 'not a handle of an open file');
    return handle;
  }

  sftp.on('OPEN', (id, path, flags) => {
    const write = (flags & OPEN_MODE.WRITE) !== 0;
    requests.take(id, onPath(write ? 'open-write' : 'open-read', path), () => {
      // OpenSSH takes a request for neither reading nor writing as one for reading.
      const read = (flags & OPEN_MODE.READ) !== 0 || !write;
      const descriptor = volume.open(path, {
        read,
        write,
        create: (flags & OPEN_MODE.CREAT) !== 0,
        exclusive: (flags & OPEN_MODE.EXCL) !== 0,
        truncate: (flags & OPEN_MODE.TRUNC) !== 0,
      });
      const append = (flags & OPEN_MODE.APPEND) !== 0;
      const file = { descriptor, path: volume.canonical(path), readable: read, writable: write, append };
      sftp.handle(id, handles.add({ kind: 'file', ...file }));
    });
  });

  sftp.on('READ', (id, name, offset, length) => {
    requests.take(id, onHandle('read', name), () => {
      const file = fileOf(name);
      if (!file.readable) throw new VolumeFault('denied', 'the file is not open for reading');
      const buffer = Buffer.alloc(Math.min(length, longestRead));
      const count = readSync(file.descriptor, buffer, 0, buffer.length, checkOffset(offset));
      if (count === 0) requests.reply(id, sftpStatus.endOfFile);
      else sftp.data(id, buffer.subarray(0, count));
    });
  });

  sftp.on('WRITE', (id, name, offset, data) => {
    // The data is a view of the packet it came in, which may be gone by the time of the write.
    const content = Buffer.from(data);
    requests.take(id, onHandle('write', name), () => {
      const file = fileOf(name);
      if (!file.writable) throw new VolumeFault('denied', 'the file is not open for writing');
      const start = file.append ? fstatSync(file.descriptor).size : checkOffset(offset);
      writeAll(file.descriptor, content, start);
      requests.reply(id, sftpStatus.ok);
    });
  });

  sftp.on('CLOSE', (id, name) => {
    requests.take(id, onHandle('close', name), () => {
      requests.reply(id, handles.close(name) ? sftpStatus.ok : sftpStatus.failure);
    });
  });

  // Nothing on the volume is a link, so both tell the same.
  for (const kind of ['stat', 'lstat'] as const) {
    sftp.on(kind === 'stat' ? 'STAT' : 'LSTAT', (id: number, path: string) => {
      requests.take(id, onPath(kind, path), () => {
        sftp.attrs(id, attributesOf(volume.stat(path)));
      });
    });
  }

  sftp.on('FSTAT', (id, name) => {
    requests.take(id, onHandle('fstat', name), () => {
      sftp.attrs(id, attributesOf(fstatSync(fileOf(name).descriptor)));
    });
  });

  sftp.on('SETSTAT', (id, path, attributes: Partial<Attributes>) => {
    requests.take(id, onPath('setstat', path), () => {
      volume.changeAttributes(path, changeOf(attributes));
      refuseOwner(attributes);
      requests.reply(id, sftpStatus.ok);
    });
  });

  sftp.on('FSETSTAT', (id, name, attributes: Partial<Attributes>) => {
    requests.take(id, onHandle('fsetstat', name), () => {
      changeOpenFile(fileOf(name), changeOf(attributes));
      refuseOwner(attributes);
      requests.reply(id, sftpStatus.ok);
    });
  });

  sftp.on('OPENDIR', (id, path) => {
    requests.take(id, onPath('opendir', path), () => {
      const stats = volume.stat(path);
      const dots = ['.', '..'].map((name) => ({ name, stats }));
      const entries = [...dots, ...volume.list(path)];
      sftp.handle(id, handles.add({ kind: 'directory', path: volume.canonical(path), entries }));
    });
  });

  sftp.on('READDIR', (id, name) => {
    requests.take(id, onHandle('readdir', name), () => {
      const handle = handles.get(name);
      if (handle?.kind !== 'directory') throw new VolumeFault('failure', 'not a handle of a directory');
      const page = handle.entries.splice(0, pageOfEntries);
      if (page.length === 0) requests.reply(id, sftpStatus.endOfFile);
      else sftp.name(id, page.map(fileEntryOf));
    });
  });

  sftp.on('MKDIR', (id, path) => {
    requests.take(id, onPath('mkdir', path), () => {
      volume.makeDirectory(path);
      requests.reply(id, sftpStatus.ok);
    });
  });

  sftp.on('RMDIR', (id, path) => {
    requests.take(id, onPath('rmdir', path), () => {
      volume.removeDirectory(path);
      requests.reply(id, sftpStatus.ok);
    });
  });

  sftp.on('REMOVE', (id, path) => {
    requests.take(id, onPath('remove', path), () => {
      volume.removeFile(path);
      requests.reply(id, sftpStatus.ok);
    });
  });

  sftp.on('RENAME', (id, from, to) => {
    requests.take(id, onPath('rename', from, to), () => {
      volume.rename(from, to);
      requests.reply(id, sftpStatus.ok);
    });
  });

  sftp.on('REALPATH', (id, path) => {
    requests.take(id, onPath('realpath', path), () => {
      const filename = volume.canonical(path);
      // The answer carries no attributes, which the types of the library do not foresee.
      sftp.name(id, [{ filename, longname: filename, attrs: {} as Attributes }]);
    });
  });

  sftp.on('READLINK', (id, path) => {
    requests.take(id, onPath('readlink', path), () => {
      requests.reply(id, sftpStatus.unsupported);
    });
  });

  sftp.on('SYMLINK', (id, target, link) => {
    requests.take(id, onPath('symlink', target, link), () => {
      requests.reply(id, sftpStatus.unsupported);
    });
  });

  sftp.on('EXTENDED', (id, name) => {
    requests.take(
      id,
      () => ({ kind: 'extended', path: name }),
      () => {
        requests.reply(id, sftpStatus.unsupported);
      },
    );
  });

  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    requests.end();
    handles.closeAll();
    // The library leaves it to the server to close its side of the channel.
    sftp.end();
  };
  // A packet that is no SFTP: the library closes the channel by itself.
  sftp.on('error', end);
  sftp.on('end', end);
  sftp.on('close', end);
}

/** The path as the log of operations shows it. */
function absolute(volume: WindowsVolume, path: string): string {
  try {
    return volume.canonical(path);
  } catch (error) {
    if (error instanceof VolumeFault) return path;
    throw error;
  }
}

/** SFTP offsets and sizes have 64 bits, which a JavaScript number cannot tell apart beyond 2^53. */
function checkOffset(offset: number): number {
  if (!Number.isSafeInteger(offset)) throw new VolumeFault('failure', 'the offset is too large');
  return offset;
}

function writeAll(descriptor: number, content: Buffer, start: number): void {
  let written = 0;
  while (written < content.length) {
    written += writeSync(descriptor, content, written, content.length - written, start + written);
  }
}

/** What of the attributes that were sent Windows can keep; those not sent are missing. */
function changeOf({ size, mode, atime, mtime }: Partial<Attributes>): AttributeChange {
  return {
    size: size === undefined ? undefined : checkOffset(size),
    mode,
    times: atime === undefined || mtime === undefined ? undefined : { accessed: atime, modified: mtime },
  };
}

/** An owner cannot be set by number on Windows: the rest of the change is made, and the whole is a failure. */
function refuseOwner({ uid, gid }: Partial<Attributes>): void {
  if (uid !== undefined || gid !== undefined) throw new VolumeFault('failure', 'Windows knows no owner ids');
}

function changeOpenFile(file: SftpHandle & { kind: 'file' }, change: AttributeChange): void {
  if (change.size !== undefined) {
    if (!file.writable) throw new VolumeFault('denied', 'the file is not open for writing');
    ftruncateSync(file.descriptor, change.size);
  }
  if (change.mode !== undefined) fchmodSync(file.descriptor, localMode(change.mode));
  if (change.times !== undefined) {
    futimesSync(file.descriptor, change.times.accessed, change.times.modified);
  }
}
