/** What stands in a directory of a node. */
export interface RemoteEntry {
  readonly name: string;
  /** `other`: a link or a device; never followed, written or removed. */
  readonly kind: 'file' | 'directory' | 'other';
  /** Bytes, where the server tells. */
  readonly size: number | undefined;
}

/**
 * The files of one node. Paths are absolute SFTP paths. Calls may overlap: they are then in flight together. Every
 * method rejects with a `NodeError`.
 */
export interface RemoteFiles {
  /** The entries of a directory, or `undefined` when there is none at that path. */
  list(directory: string): Promise<readonly RemoteEntry[] | undefined>;
  /** The first `limit` bytes of a file, or `undefined` when there is none. */
  read(path: string, limit: number): Promise<Buffer | undefined>;
  /** Creates a file; it must not exist. Where the write fails, a part of the file may stay behind. */
  create(path: string, content: Buffer): Promise<void>;
  /** Renames a file, over the file at `to` if there is one; atomically, where the server can. */
  replace(from: string, to: string): Promise<void>;
  /** Removes a file. True when it was there. */
  remove(path: string): Promise<boolean>;
  /** Makes a directory whose parent exists. One that is there already is as good. */
  makeDirectory(path: string): Promise<void>;
  /** Removes a directory if it is empty. False when it is not, or not there. */
  removeDirectory(path: string): Promise<boolean>;
}
