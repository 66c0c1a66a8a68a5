import { readFile, stat } from 'node:fs/promises';

/** What is to be had from a path that others write to. */
export type Settled =
  | { readonly state: 'settled'; readonly text: string }
  /** Someone is, or may be, in the middle of writing. */
  | { readonly state: 'changing' }
  /** Nothing is there, or nothing that can be read as a file. */
  | { readonly state: 'absent' };

/**
 * Reads a file that has been left alone for a while: what is written in pieces is not taken half.
 *
 * @param settleMs how long it must have been left alone, in milliseconds
 * @throws when it is there and cannot be read
 */
export async function readSettled(path: string, settleMs: number, now: () => number): Promise<Settled> {
  try {
    const before = await stat(path);
    // Anything else may never come to an end: a pipe, for example.
    if (!before.isFile()) return { state: 'absent' };
    const age = now() - before.mtimeMs;
    // A date in the future says nothing about whether someone is writing.
    if (age >= 0 && age < settleMs) return { state: 'changing' };

    const text = await readFile(path, 'utf8');
    const after = await stat(path);
    const isSame = before.ino === after.ino && before.mtimeMs === after.mtimeMs && before.size === after.size;
    return isSame ? { state: 'settled', text } : { state: 'changing' };
  } catch (error) {
    if (isMissing(error)) return { state: 'absent' };
    throw error;
  }
}

/** True for the error of something that is not there, a link that leads nowhere included. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
