import { watch } from 'chokidar';

/**
 * Calls back whenever something at or below a path changes: editors that rename, links that are swapped and files
 * that come later included. Events only say that it is time to look again; they carry nothing.
 *
 * @param onError told when the watch itself fails; what was read last stays in force
 * @returns resolves once changes are seen, to a function that ends the watch
 */
export function watchPath(
  path: string,
  onChange: () => void,
  onError: (error: unknown) => void,
): Promise<() => Promise<void>> {
  const watcher = watch(path, { ignoreInitial: true, ignorePermissionErrors: true });
  watcher.on('all', onChange);
  watcher.on('error', onError);
  return new Promise((resolve) => {
    watcher.once('ready', () => {
      resolve(() => watcher.close());
    });
  });
}
