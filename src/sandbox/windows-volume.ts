import {
  chmodSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  type Stats,
} from 'node:fs';
import { join, sep } from 'node:path';
import { windowsNameFault } from '../mirrors/windows-name.js';
import { formatSftpPath, parseWindowsPath, type PathFaultReason } from './windows-path.js';

/** Why the volume refuses: `denied` is a matter of permission, `failure` any other (it exists, is not empty, …). */
export type VolumeFaultReason = PathFaultReason | 'denied' | 'failure';

/** An operation that a Windows file system would refuse. */
export class VolumeFault extends Error {
  override readonly name = 'VolumeFault';

  constructor(
    readonly reason: VolumeFaultReason,
    message: string,
  ) {
    super(message);
  }
}

/** How a file is opened; with neither `read` nor `write` nothing can be done with it. */
export interface OpenMode {
  readonly read: boolean;
  readonly write: boolean;
  /** Make the file when it does not exist. */
  readonly create: boolean;
  /** With `create`: refuse a file that exists. */
  readonly exclusive: boolean;
  readonly truncate: boolean;
}

/** What a client may change about a file; times in seconds since 1970. */
export interface AttributeChange {
  readonly size?: number | undefined;
  /** POSIX mode; Windows keeps of it only whether the owner may write (the read-only attribute). */
  readonly mode?: number | undefined;
  readonly times?: { readonly accessed: number; readonly modified: number } | undefined;
}

export interface VolumeEntry {
  readonly name: string;
  readonly stats: Stats;
}

interface Location {
  /** The real path, with the names as they are on disk; as given where nothing exists yet. */
  readonly local: string;
  /** `undefined` when nothing is there (but its parent directory is). */
  readonly stats: Stats | undefined;
}

/** Files may hold credentials: only their owner on this machine may read them. */
const fileMode = 0o600;
const directoryMode = 0o700;

/**
 * Drive C: of a Windows node, kept in a real folder, with the ways of Windows: names are looked up without regard to
 * case and kept as they were made, and what Windows cannot name does not exist.
 *
 * Nothing outside the folder can be reached. A symbolic link inside it, or anything else that is neither a file nor a
 * directory, is refused and not listed. Deleting and renaming open files is allowed: OpenSSH for Windows opens with
 * full sharing, so they raise no sharing violation there either.
 *
 * Operations are synchronous, so that each is complete before the next begins, whichever connection it comes from.
 * They throw {@link VolumeFault}, or the error of `node:fs` when this machine refuses.
 */
export class WindowsVolume {
  readonly #root: string;
  readonly #home: readonly string[];

  /** @param home Where relative paths start: components below C:. It need not exist. */
  constructor(directory: string, home: readonly string[]) {
    mkdirSync(directory, { recursive: true, mode: directoryMode });
    this.#root = realpathSync(directory);
    this.#home = home;
  }

  /** The absolute form of a path, `/C:/k` (or `/`, above the drives), whether or not anything is there. */
  canonical(path: string): string {
    const parsed = parseWindowsPath(path, this.#home);
    if (parsed.kind === 'fault') throw new VolumeFault(parsed.reason, parsed.fault);
    return parsed.kind === 'drives' ? '/' : formatSftpPath(parsed.components);
  }

  /** The real path on this machine that a Windows path means, whether or not anything is there. */
  resolve(path: string): string {
    const { local, rest } = this.#walk(this.#components(path));
    return join(local, ...rest);
  }

  stat(path: string): Stats {
    // Above the drives is a directory like any other: the drive's own attributes stand for it.
    if (this.canonical(path) === '/') return lstatSync(this.#root);
    return this.#existing(path).stats;
  }

  /** Entries of a directory, sorted by name as NTFS does. */
  list(path: string): readonly VolumeEntry[] {
    if (this.canonical(path) === '/') return [{ name: 'C:', stats: lstatSync(this.#root) }];
    const { local, stats } = this.#existing(path);
    if (!stats.isDirectory()) throw new VolumeFault('not-found', 'not a directory');
    return readdirSync(local)
      .filter((name) => windowsNameFault(name) === undefined)
      .sort(byFoldedName)
      .flatMap((name) => {
        const entry = lstatSync(join(local, name), { throwIfNoEntry: false });
        return entry !== undefined && isFileOrDirectory(entry) ? [{ name, stats: entry }] : [];
      });
  }

  /** Opens a file and returns its descriptor, which the caller closes. */
  open(path: string, mode: OpenMode): number {
    const { local, stats } = this.#locate(path);
    if (stats === undefined && !mode.create) throw new VolumeFault('not-found', 'no such file');
    if (stats?.isDirectory()) throw new VolumeFault('denied', 'a directory cannot be opened as a file');
    if (stats !== undefined && mode.create && mode.exclusive) throw new VolumeFault('failure', 'file exists');
    if (mode.truncate && !mode.write) throw new VolumeFault('denied', 'truncating takes write access');
    if (stats !== undefined && mode.write) refuseReadOnly(stats);

    const access = mode.write ? (mode.read ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY;
    const flags =
      access |
      constants.O_NOFOLLOW |
      (mode.create ? constants.O_CREAT : 0) |
      (mode.create && mode.exclusive ? constants.O_EXCL : 0) |
      (mode.truncate ? constants.O_TRUNC : 0);
    return openSync(local, flags, fileMode);
  }

  makeDirectory(path: string): void {
    const { local, stats } = this.#locate(path);
    if (stats !== undefined) throw new VolumeFault('failure', 'exists already');
    mkdirSync(local, { mode: directoryMode });
  }

  removeDirectory(path: string): void {
    const { local, stats } = this.#existing(path);
    if (local === this.#root) throw new VolumeFault('denied', 'the root of a drive cannot be removed');
    if (!stats.isDirectory()) throw new VolumeFault('failure', 'not a directory');
    rmdirSync(local);
  }

  removeFile(path: string): void {
    const { local, stats } = this.#existing(path);
    if (stats.isDirectory()) throw new VolumeFault('denied', 'a directory is not removed as a file');
    refuseReadOnly(stats);
    unlinkSync(local);
  }

  /**
   * Renames a file or directory. Refused when the new name exists, as SFTP version 3 demands.
   *
   * A file renamed onto itself, in whatever case, **is deleted**, and then there is nothing to rename: what releases
   * of OpenSSH for Windows may do, and the harshest of what a client must be prepared for.
   */
  rename(from: string, to: string): void {
    const source = this.#existing(from);
    const target = this.#locate(to);
    if (source.local === this.#root) throw new VolumeFault('denied', 'the root of a drive cannot be renamed');
    if (target.local === source.local && !source.stats.isDirectory()) {
      unlinkSync(source.local);
      throw new VolumeFault('not-found', 'the file was removed to make way for itself');
    }
    if (target.stats !== undefined) throw new VolumeFault('failure', 'the new name exists');
    if (target.local.startsWith(source.local + sep)) {
      throw new VolumeFault('failure', 'a directory cannot be moved into itself');
    }
    renameSync(source.local, target.local);
  }

  changeAttributes(path: string, change: AttributeChange): void {
    const { local, stats } = this.#existing(path);
    if (change.size !== undefined) {
      if (stats.isDirectory()) throw new VolumeFault('denied', 'a directory has no size to set');
      refuseReadOnly(stats);
      truncateSync(local, change.size);
    }
    // On a directory the read-only attribute has no meaning to the file system.
    if (change.mode !== undefined && !stats.isDirectory()) chmodSync(local, localMode(change.mode));
    if (change.times !== undefined) utimesSync(local, change.times.accessed, change.times.modified);
  }

  #components(path: string): readonly string[] {
    const parsed = parseWindowsPath(path, this.#home);
    if (parsed.kind === 'fault') throw new VolumeFault(parsed.reason, parsed.fault);
    if (parsed.kind === 'drives') throw new VolumeFault('denied', 'only drives stand above drive C:');
    return parsed.components;
  }

  #existing(path: string): { readonly local: string; readonly stats: Stats } {
    const { local, stats } = this.#locate(path);
    if (stats === undefined) throw new VolumeFault('not-found', 'no such file or directory');
    return { local, stats };
  }

  #locate(path: string): Location {
    const { local, stats, rest } = this.#walk(this.#components(path));
    const [missing, ...below] = rest;
    if (missing === undefined) return { local, stats };
    if (below.length > 0) throw new VolumeFault('not-found', 'no such directory');
    return { local: join(local, missing), stats: undefined };
  }

  /** Follows the components as far as they exist; `rest` holds those that do not. */
  #walk(components: readonly string[]): { local: string; stats: Stats; rest: readonly string[] } {
    let local = this.#root;
    let stats = lstatSync(local);
    for (const [index, name] of components.entries()) {
      if (!stats.isDirectory()) throw new VolumeFault('not-found', 'a file stands where a directory should');
      const found = findInDirectory(local, name);
      if (found === undefined) return { local, stats, rest: components.slice(index) };
      if (!isFileOrDirectory(found.stats)) {
        throw new VolumeFault('denied', 'neither a file nor a directory: links are not followed');
      }
      local = join(local, found.name);
      stats = found.stats;
    }
    return { local, stats, rest: [] };
  }
}

/** The mode on this machine for a mode that a client sets: of it Windows keeps only the read-only attribute. */
export function localMode(mode: number): number {
  return (mode & 0o200) === 0 ? 0o400 : fileMode;
}

/** True for a file with the read-only attribute, kept as its owner's missing write permission. */
export function isReadOnly(stats: Stats): boolean {
  return !stats.isDirectory() && (stats.mode & 0o200) === 0;
}

/** Checked here and not left to this machine, where root may do all. */
function refuseReadOnly(stats: Stats): void {
  if (isReadOnly(stats)) throw new VolumeFault('denied', 'the file is read-only');
}

function isFileOrDirectory(stats: Stats): boolean {
  return stats.isFile() || stats.isDirectory();
}

/** Looks a name up regardless of case; where the folder holds it in several cases, the exact one comes first. */
function findInDirectory(directory: string, name: string): VolumeEntry | undefined {
  const exact = lstatSync(join(directory, name), { throwIfNoEntry: false });
  if (exact !== undefined) return { name, stats: exact };
  const folded = foldCase(name);
  const [other] = readdirSync(directory)
    .filter((candidate) => foldCase(candidate) === folded)
    .sort();
  if (other === undefined) return undefined;
  const stats = lstatSync(join(directory, other), { throwIfNoEntry: false });
  return stats && { name: other, stats };
}

/** NTFS folds one character at a time, to upper case, and only where that is one character again (`ß` stays). */
function foldCase(name: string): string {
  let folded = '';
  for (const character of name) {
    const upper = character.toUpperCase();
    folded += upper.length === character.length ? upper : character;
  }
  return folded;
}

function byFoldedName(left: string, right: string): number {
  const [a, b] = [foldCase(left), foldCase(right)];
  return a < b ? -1 : a > b ? 1 : 0;
}
