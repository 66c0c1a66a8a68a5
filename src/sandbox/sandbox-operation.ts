/** The SFTP requests, with OPEN told apart by what it asks for. */
export type SandboxOperationKind =
  | 'open-read'
  | 'open-write'
  | 'read'
  | 'write'
  | 'close'
  | 'stat'
  | 'lstat'
  | 'fstat'
  | 'setstat'
  | 'fsetstat'
  | 'opendir'
  | 'readdir'
  | 'mkdir'
  | 'rmdir'
  | 'remove'
  | 'rename'
  | 'realpath'
  | 'readlink'
  | 'symlink'
  | 'extended';

/** One SFTP request that a sandbox node received. Never any content. */
export interface SandboxOperation {
  readonly kind: SandboxOperationKind;
  /**
   * The absolute path, `/C:/k/…`, that the request or its handle stands for; as the client gave it where it is no
   * Windows path, empty for a handle that is not open. For `extended` the name of the extension.
   */
  readonly path: string;
  /** The new name of `rename`, the other end of `symlink`. */
  readonly to?: string;
}

/** An SFTP version 3 status code. */
export type SftpStatusCode = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

/**
 * What becomes of a request: it is carried out, the connection is dropped before it is carried out, or it is
 * answered with a status instead.
 */
export type Verdict =
  'continue' | 'drop' | { readonly status: SftpStatusCode; readonly message?: string | undefined };

/** Decides what becomes of each request; asked in the order in which they would be carried out. */
export type Interrupt = (operation: SandboxOperation) => Verdict;
