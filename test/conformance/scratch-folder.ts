import { mkdtemp, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What all servers of one test file write, and more. */
const neededBytes = 256 * 1024 ** 2;

/**
 * Makes a folder for servers' files: in memory where there is room, since containerd waits for the disk after each blob,
 * else among the temporary files. Its path is short enough for a socket.
 */
export async function makeScratchFolder(): Promise<string> {
  const inMemory = '/dev/shm';
  const isRoomy = await statfs(inMemory).then(
    ({ bavail, bsize }) => bavail * bsize > neededBytes,
    () => false,
  );
  return mkdtemp(join(isRoomy ? inMemory : tmpdir(), 'mirrorgate-'));
}
