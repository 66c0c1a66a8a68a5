import { watch } from 'node:fs';
import { messageOf } from './message-of.js';
import { isMissing } from './read-settled.js';

export type DirectoryWatch =
  | { readonly ok: true; readonly close: () => void }
  /** No fault when the directory is not there. */
  | { readonly ok: false; readonly fault: string | undefined };

/**
 * Calls back whenever something right in a directory changes: editors that rename, and links that are swapped,
 * included, which a watch on the file itself would lose. Sees neither folders below nor what links lead to, and goes
 * blind when the directory is replaced: whoever calls looks again now and then, with a new watch.
 *
 * @param onChange gets the name of what has changed, where the system tells it
 */
export function watchDirectory(directory: string, onChange: (name: string | null) => void): DirectoryWatch {
  try {
    const watcher = watch(directory, { persistent: false }, (_event, name) => {
      onChange(name);
    });
    watcher.on('error', () => {
      watcher.close();
      onChange(null);
    });
    return {
      ok: true,
      close() {
        watcher.close();
      },
    };
  } catch (error) {
    return { ok: false, fault: isMissing(error) ? undefined : messageOf(error) };
  }
}
