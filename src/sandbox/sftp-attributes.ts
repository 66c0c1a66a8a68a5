import type { Stats } from 'node:fs';
import type { Attributes, FileEntry } from 'ssh2';
import { isReadOnly, type VolumeEntry } from './windows-volume.js';

const directoryType = 0o040000;
const fileType = 0o100000;

/** Attributes as Windows can tell them: it knows no owner ids, and of permissions only read-only. */
export function attributesOf(stats: Stats): Attributes {
  return {
    mode: stats.isDirectory() ? directoryType | 0o777 : fileType | (isReadOnly(stats) ? 0o444 : 0o666),
    uid: 0,
    gid: 0,
    size: stats.isDirectory() ? 0 : stats.size,
    atime: Math.floor(stats.atimeMs / 1000),
    mtime: Math.floor(stats.mtimeMs / 1000),
  };
}

/** An entry of a directory listing, with the line of `ls -l` that version 3 of SFTP wants beside it. */
export function fileEntryOf({ name, stats }: VolumeEntry): FileEntry {
  const attrs = attributesOf(stats);
  const type = stats.isDirectory() ? 'd' : '-';
  const permissions = stats.isDirectory() ? 'rwxrwxrwx' : isReadOnly(stats) ? 'r--r--r--' : 'rw-rw-rw-';
  const modified = stats.mtime.toISOString().slice(0, 16).replace('T', ' ');
  const longname = `${type}${permissions}    1 -        -        ${String(attrs.size).padStart(12)} ${modified} ${name}`;
  return { filename: name, longname, attrs };
}
