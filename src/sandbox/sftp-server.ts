import { fchmodSync, fstatSync, ftruncateSync, futimesSync, readSync, writeSync } from 'node:fs';
import { setTimeout as startTimer, clearTimeout } from 'node:timers';
import ssh2, { type Attributes, type SFTPWrapper } from 'ssh2';
import type {
  Interrupt,
  SandboxOperation,
  SandboxOperationKind,
  SftpStatusCode,
} from './sandbox-operation.js';
import { attributesOf, fileEntryOf } from './sftp-attributes.js';
import { SftpHandles, type SftpHandle } from './sftp-handles.js';
import { sftpStatus, statusOfError, wordsOf } from './sftp-status.js';
import { localMode, VolumeFault, type AttributeChange, type WindowsVolume } from './windows-volume.js';

const { OPEN_MODE } = ssh2.utils.sftp;

/** The most bytes one READ is answered with: a client must cope with less than it asked for. */
const longestRead = 64 * 1024;

/** Entries in one answer to READDIR, as many as OpenSSH sends. */
const pageOfEntries = 100;

export interface SftpServerOptions {
  readonly volume: WindowsVolume;
  /** Sees every request before it is carried out, and decides about it. */
  readonly interrupt: Interrupt;
  /** Cuts the connection that the session runs on. */
  readonly drop: () => void;
  /** Milliseconds from a request's arrival until it is carried out. Requests wait side by side, as on a long wire. */
  readonly latencyMs: number;
  /** Told of an error that is neither the client's nor the file system's; the connection is then dropped. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Serves one SFTP session, version 3 without extensions, on a Windows volume. Requests are carried out one after
 * another in the order of their arrival, as OpenSSH does, so a client may send the next before the answer to the last.
 * Ends with the channel or its connection, and closes all handles then.
 */
export function serveSftp(sftp: SFTPWrapper, options: SftpServerOptions): void {
  const { volume } = options;
  const handles = new SftpHandles();
  const waiting = new Set<NodeJS.Timeout>();
  let ended = false;

  /** Carries a request out when its time comes: `work` answers it, or throws why it cannot be done. */
  function request(id: number, describe: () => SandboxOperation, work: () => void): void {
    const run = () => {
      if (!ended) decide(id, describe, work);
    };
    if (options.latencyMs === 0) {
      run();
      return;
    }
    // Timers of one duration run in the order in which they were set, so the order of requests is kept.
    const timer = startTimer(() => {
      waiting.delete(timer);
      run();
    }, options.latencyMs);
    waiting.add(timer);
  }

  function decide(id: number, describe: () => SandboxOperation, work: () => void): void {
    try {
      const verdict = options.interrupt(describe());
      if (verdict === 'drop') options.drop();
      else if (verdict === 'continue') work();
      else sftp.status(id, verdict.status, verdict.message ?? wordsOf(verdict.status));
    } catch (error) {
      const status = statusOfError(error);
      if (status !== undefined) {
        reply(id, status);
        return;
      }
      options.onFault(error);
      options.drop();
    }
  }

  function reply(id: number, status: SftpStatusCode): void {
    sftp.status(id, status, wordsOf(status));
  }

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
    request(id, onPath(write ? 'open-write' : 'open-read', path), () => {
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
    request(id, onHandle('read', name), () => {
      const file = fileOf(name);
      if (!file.readable) throw new VolumeFault('denied', 'the file is not open for reading');
      const buffer = Buffer.alloc(Math.min(length, longestRead));
      const count = readSync(file.descriptor, buffer, 0, buffer.length, checkOffset(offset));
      if (count === 0) reply(id, sftpStatus.endOfFile);
      else sftp.data(id, buffer.subarray(0, count));
    });
  });

  sftp.on('WRITE', (id, name, offset, data) => {
    // The data is a view of the packet it came in, which may be gone by the time of the write.
    const content = Buffer.from(data);
    request(id, onHandle('write', name), () => {
      const file = fileOf(name);
      if (!file.writable) throw new VolumeFault('denied', 'the file is not open for writing');
      const start = file.append ? fstatSync(file.descriptor).size : checkOffset(offset);
      writeAll(file.descriptor, content, start);
      reply(id, sftpStatus.ok);
    });
  });

  sftp.on('CLOSE', (id, name) => {
    request(id, onHandle('close', name), () => {
      reply(id, handles.close(name) ? sftpStatus.ok : sftpStatus.failure);
    });
  });

  // Nothing on the volume is a link, so both tell the same.
  for (const kind of ['stat', 'lstat'] as const) {
    sftp.on(kind === 'stat' ? 'STAT' : 'LSTAT', (id: number, path: string) => {
      request(id, onPath(kind, path), () => {
        sftp.attrs(id, attributesOf(volume.stat(path)));
      });
    });
  }

  sftp.on('FSTAT', (id, name) => {
    request(id, onHandle('fstat', name), () => {
      sftp.attrs(id, attributesOf(fstatSync(fileOf(name).descriptor)));
    });
  });

  sftp.on('SETSTAT', (id, path, attributes: Partial<Attributes>) => {
    request(id, onPath('setstat', path), () => {
      volume.changeAttributes(path, changeOf(attributes));
      refuseOwner(attributes);
      reply(id, sftpStatus.ok);
    });
  });

  sftp.on('FSETSTAT', (id, name, attributes: Partial<Attributes>) => {
    request(id, onHandle('fsetstat', name), () => {
      changeOpenFile(fileOf(name), changeOf(attributes));
      refuseOwner(attributes);
      reply(id, sftpStatus.ok);
    });
  });

  sftp.on('OPENDIR', (id, path) => {
    request(id, onPath('opendir', path), () => {
      const stats = volume.stat(path);
      const dots = ['.', '..'].map((name) => ({ name, stats }));
      const entries = [...dots, ...volume.list(path)];
      sftp.handle(id, handles.add({ kind: 'directory', path: volume.canonical(path), entries }));
    });
  });

  sftp.on('READDIR', (id, name) => {
    request(id, onHandle('readdir', name), () => {
      const handle = handles.get(name);
      if (handle?.kind !== 'directory') throw new VolumeFault('failure', 'not a handle of a directory');
      const page = handle.entries.splice(0, pageOfEntries);
      if (page.length === 0) reply(id, sftpStatus.endOfFile);
      else sftp.name(id, page.map(fileEntryOf));
    });
  });

  sftp.on('MKDIR', (id, path) => {
    request(id, onPath('mkdir', path), () => {
      volume.makeDirectory(path);
      reply(id, sftpStatus.ok);
    });
  });

  sftp.on('RMDIR', (id, path) => {
    request(id, onPath('rmdir', path), () => {
      volume.removeDirectory(path);
      reply(id, sftpStatus.ok);
    });
  });

  sftp.on('REMOVE', (id, path) => {
    request(id, onPath('remove', path), () => {
      volume.removeFile(path);
      reply(id, sftpStatus.ok);
    });
  });

  sftp.on('RENAME', (id, from, to) => {
    request(id, onPath('rename', from, to), () => {
      volume.rename(from, to);
      reply(id, sftpStatus.ok);
    });
  });

  sftp.on('REALPATH', (id, path) => {
    request(id, onPath('realpath', path), () => {
      const filename = volume.canonical(path);
      // The answer carries no attributes, which the types of the library do not foresee.
      sftp.name(id, [{ filename, longname: filename, attrs: {} as Attributes }]);
    });
  });

  sftp.on('READLINK', (id, path) => {
    request(id, onPath('readlink', path), () => {
      reply(id, sftpStatus.unsupported);
    });
  });

  sftp.on('SYMLINK', (id, target, link) => {
    request(id, onPath('symlink', target, link), () => {
      reply(id, sftpStatus.unsupported);
    });
  });

  sftp.on('EXTENDED', (id, name) => {
    request(
      id,
      () => ({ kind: 'extended', path: name }),
      () => {
        reply(id, sftpStatus.unsupported);
      },
    );
  });

  const end = () => {
    if (ended) return;
    ended = true;
    for (const timer of waiting) clearTimeout(timer);
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
