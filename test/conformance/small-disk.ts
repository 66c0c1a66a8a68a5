import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

/** A file system of a chosen size, in memory. */
export interface SmallDisk {
  /** Changes its options: `size=1m`, `nr_inodes=20`. */
  change(options: string): void;
  unmount(): void;
}

/** Mounts a tmpfs at a folder. Takes root, and a machine or container that lets root mount. */
export function mountSmallDisk(folder: string, options: string): SmallDisk {
  mkdirSync(folder, { recursive: true });
  try {
    run('mount', '-t', 'tmpfs', '-o', options, 'mirrorgate', folder);
  } catch (error) {
    throw new Error('no tmpfs can be mounted: a full disk is tried as root, where CAP_SYS_ADMIN is held', {
      cause: error,
    });
  }
  return {
    change: (changed) => {
      run('mount', '-o', `remount,${changed}`, folder);
    },
    unmount: () => {
      run('umount', folder);
    },
  };
}

function run(command: string, ...parameters: readonly string[]): void {
  execFileSync(command, parameters, { stdio: 'pipe' });
}
