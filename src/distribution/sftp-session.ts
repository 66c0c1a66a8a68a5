import type { SFTPWrapper } from 'ssh2';
import type { HostKeyStore } from './host-key-store.js';
import { connectionError, diskFullError, fileError, sftpStatus, sftpStatusOf } from './node-error.js';
import type { RemoteEntry, RemoteFiles } from './remote-files.js';
import { SftpRequests } from './sftp-requests.js';
import { connect, type ConnectOptions, type SshConnection } from './ssh-connection.js';
import type { TargetNode } from './target-node.js';

export interface SessionOptions extends ConnectOptions {
  /** Longest time for one answer of the SFTP server, in milliseconds. */
  readonly requestTimeout?: number | undefined;
  /** Called before each request. What it throws ends the session, and is what calls then reject with. */
  readonly check?: (() => void) | undefined;
}

const defaultRequestTimeout = 60_000;

/**
 * Bytes read or written by one request. A server must take requests of 32 KiB (draft-ietf-secsh-filexfer-02, section
 * 3); ssh2 cuts larger ones than about that in two, and waits for the first before it sends the second.
 */
const pieceLength = 16_384;

/**
 * Opens a session with a node: connection, host key, log-in, SFTP.
 *
 * @throws NodeError, or the reason of the signal when that is aborted
 */
export async function openSession(
  node: TargetNode,
  hostKeys: HostKeyStore,
  options: SessionOptions = {},
): Promise<SftpSession> {
  return new SftpSession(node, await connect(node, hostKeys, options), options);
}

/** The files of a node over SFTP. When the connection is lost, every call under way rejects, and every later one. */
export class SftpSession implements RemoteFiles {
  readonly #node: TargetNode;
  readonly #connection: SshConnection;
  readonly #sftp: SFTPWrapper;
  readonly #requests: SftpRequests;

  constructor(node: TargetNode, connection: SshConnection, options: SessionOptions) {
    this.#node = node;
    this.#connection = connection;
    this.#sftp = connection.sftp;
    this.#requests = new SftpRequests(node, options.requestTimeout ?? defaultRequestTimeout, options.check);
    connection.onLost((reason) => {
      this.#requests.finish(reason);
    });
  }

  async close(): Promise<void> {
    this.#requests.finish(new Error('the session is closed'));
    await this.#connection.end();
  }

  async list(directory: string): Promise<RemoteEntry[] | undefined> {
    const entries = await this.#entriesOf(directory).catch(
      this.#unless(sftpStatus.noSuchFile, 'list', directory),
    );
    return entries?.map(({ filename, longname, attrs }) => ({
      name: filename,
      kind: kindOf(attrs.mode, longname),
      size: attrs.size,
    }));
  }

  async read(path: string, limit: number): Promise<Buffer | undefined> {
    const handle = await this.#requests
      .ask<Buffer>((done) => {
        this.#sftp.open(path, 'r', done);
      })
      .catch(this.#unless(sftpStatus.noSuchFile, 'read', path));
    if (handle === undefined) return undefined;

    const pieces = piecesOf(limit).map(({ start, length }) =>
      this.#requests.ask<Buffer>((done) => {
        this.#sftp.read(handle, Buffer.alloc(length), 0, length, start, (error, count, data) => {
          done(error, error === undefined ? data.subarray(0, count) : undefined);
        });
      }),
    );
    this.#closeUnheard(handle);
    const parts = await Promise.all(pieces).catch((error: unknown) => {
      throw this.#classify('read', path, error);
    });
    // Of a file on a disk a server gives all that is asked for, up to the end of the file (section 6.4): a short part
    // is the last one.
    const last = parts.findIndex((part) => part.length < pieceLength);
    return Buffer.concat(last === -1 ? parts : parts.slice(0, last + 1));
  }

  async create(path: string, content: Buffer): Promise<void> {
    try {
      // No attributes are sent: the file takes the access list of its directory.
      const handle = await this.#requests.ask<Buffer>((done) => {
        this.#sftp.open(path, 'wx', done);
      });
      // Requests about one handle are carried out in the order in which they come: none waits for the one before.
      await Promise.all([
        ...piecesOf(content.length).map(({ start, length }) =>
          this.#requests.ask((done) => {
            this.#sftp.write(handle, content, start, length, start, done);
          }),
        ),
        // On disk before it is renamed over the old file, so that a power cut leaves one or the other.
        this.#requests.askIfOffered((done) => {
          this.#sftp.ext_openssh_fsync(handle, done);
        }),
        this.#requests.ask((done) => {
          this.#sftp.close(handle, done);
        }),
      ]);
    } catch (error) {
      if (sftpStatusOf(error) === sftpStatus.failure && (await this.#lacksSpace(path, content.length))) {
        throw diskFullError('write', path, error);
      }
      throw this.#classify('write', path, error);
    }
  }

  async replace(from: string, to: string): Promise<void> {
    if (from === to)
      throw new Error('a file is never renamed onto its own name: some servers delete it then');
    try {
      const atomic = await this.#requests.askIfOffered((done) => {
        this.#sftp.ext_openssh_rename(from, to, done);
      });
      if (!atomic) await this.#renameInSteps(from, to);
    } catch (error) {
      throw this.#classify('replace', to, error);
    }
  }

  async remove(path: string): Promise<boolean> {
    return await this.#requests
      .ask((done) => {
        this.#sftp.unlink(path, done);
      })
      .then(() => true, this.#unless(sftpStatus.noSuchFile, 'remove', path, false));
  }

  async makeDirectory(path: string): Promise<void> {
    try {
      await this.#requests.ask((done) => {
        this.#sftp.mkdir(path, done);
      });
    } catch (error) {
      const status = sftpStatusOf(error);
      // Servers answer with a general failure, or a refusal, when the directory is there already.
      if (status !== undefined && (await this.#isDirectory(path))) return;
      if (status === sftpStatus.failure && (await this.#lacksSpace(path, 1))) {
        throw diskFullError('make the directory', path, error);
      }
      throw this.#classify('make the directory', path, error);
    }
  }

  async removeDirectory(path: string): Promise<boolean> {
    return await this.#requests
      .ask((done) => {
        this.#sftp.rmdir(path, done);
      })
      .then(
        () => true,
        (error: unknown) => {
          const status = sftpStatusOf(error);
          // A directory that is not empty is answered with a general failure.
          if (status === sftpStatus.noSuchFile || status === sftpStatus.failure) return false;
          throw this.#classify('remove the directory', path, error);
        },
      );
  }

  /**
   * For servers without posix-rename, whose plain rename refuses to go over a file. The old file is removed and the new
   * one renamed by requests sent together: it is away for as long as the server takes between the two, and not for a
   * round trip.
   */
  async #renameInSteps(from: string, to: string): Promise<void> {
    const rename = (): Promise<unknown> =>
      this.#requests.ask((done) => {
        this.#sftp.rename(from, to, done);
      });
    try {
      await rename();
    } catch (error) {
      const status = sftpStatusOf(error);
      if (status === undefined || status === sftpStatus.noSuchFile) throw error;
      const [removed, renamed] = await Promise.allSettled([this.remove(to), rename()]);
      if (renamed.status === 'fulfilled') return;
      // What kept the old file from going tells more than that it is still there.
      throw removed.status === 'rejected' ? removed.reason : renamed.reason;
    }
  }

  async #isDirectory(path: string): Promise<boolean> {
    const mode = await this.#requests
      .ask<{ mode: number }>((done) => {
        this.#sftp.stat(path, done);
      })
      .then(
        (stats) => stats.mode,
        () => undefined,
      );
    return mode !== undefined && kindOf(mode, '') === 'directory';
  }

  /** Asks the server whether its disk has no room for a file of `bytes` at a path; false where it cannot say. */
  async #lacksSpace(path: string, bytes: number): Promise<boolean> {
    let lacks = false;
    try {
      await this.#requests.askIfOffered<FileSystem>((done) => {
        this.#sftp.ext_openssh_statvfs(path.slice(0, path.lastIndexOf('/')), (error, system: FileSystem) => {
          if (error === undefined) {
            const free = Number(system.f_bavail) * Number(system.f_frsize);
            // File systems without a fixed number of files say 0 of 0.
            const noFiles = Number(system.f_files) > 0 && Number(system.f_favail) === 0;
            lacks = free < bytes || noFiles;
          }
          done(error, system);
        });
      });
    } catch {
      return false;
    }
    return lacks;
  }

  async #entriesOf(directory: string): Promise<Listed[]> {
    const handle = await this.#requests.ask<Buffer>((done) => {
      this.#sftp.opendir(directory, done);
    });
    const page = (): Promise<Listed[] | undefined> =>
      this.#requests
        .ask<Listed[]>((done) => {
          this.#sftp.readdir(handle, done);
        })
        .catch((error: unknown) => {
          if (sftpStatusOf(error) === sftpStatus.endOfFile) return undefined;
          throw error;
        });
    try {
      const entries: Listed[] = [];
      for (;;) {
        // Two at a time: most directories fit into the first, and the second then says that this was all.
        const pages = await Promise.all([page(), page()]);
        entries.push(...pages.flatMap((listed) => listed ?? []));
        if (pages.includes(undefined)) return entries;
      }
    } finally {
      this.#closeUnheard(handle);
    }
  }

  /** Closes a handle from which nothing more is wanted: the answer is not waited for. */
  #closeUnheard(handle: Buffer): void {
    void this.#requests
      .ask((done) => {
        this.#sftp.close(handle, done);
      })
      .catch(() => undefined);
  }

  /** A handler that turns one status into `value`, and anything else into a classified error. */
  #unless(status: number, action: string, path: string): (error: unknown) => undefined;
  #unless<T>(status: number, action: string, path: string, value: T): (error: unknown) => T;
  #unless<T>(status: number, action: string, path: string, value?: T): (error: unknown) => T | undefined {
    return (error) => {
      if (sftpStatusOf(error) === status) return value;
      throw this.#classify(action, path, error);
    };
  }

  #classify(action: string, path: string, error: unknown): unknown {
    // What ended the session is classified already, or is the reason of an abort.
    if (this.#requests.endedBy(error)) return error;
    return sftpStatusOf(error) === undefined
      ? connectionError(this.#node, '', error)
      : fileError(action, path, error);
  }
}

interface Listed {
  readonly filename: string;
  readonly longname: string;
  readonly attrs: { readonly mode: number; readonly size: number };
}

interface FileSystem {
  readonly f_bavail: number | bigint;
  readonly f_frsize: number | bigint;
  readonly f_files: number | bigint;
  readonly f_favail: number | bigint;
}

/** `length` bytes from 0, piece by piece. */
function piecesOf(length: number): { readonly start: number; readonly length: number }[] {
  return Array.from({ length: Math.ceil(length / pieceLength) }, (_, index) => {
    const start = index * pieceLength;
    return { start, length: Math.min(pieceLength, length - start) };
  });
}

/** By the type bits of the mode, or by the first letter of the long name where a server sends no mode. */
function kindOf(mode: number | undefined, longname: string): RemoteEntry['kind'] {
  const type = mode === undefined ? undefined : mode & 0o170000;
  if (type === 0o040000 || (!type && longname.startsWith('d'))) return 'directory';
  if (type === 0o100000 || (!type && longname.startsWith('-'))) return 'file';
  return 'other';
}
