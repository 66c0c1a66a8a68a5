import type { DesiredState } from '../hosts/desired-state.js';
import { inParallel } from './in-parallel.js';
import { findHostsFile, nameFolding, type HeldDirectory, type HeldState } from './node-plan.js';
import type { RemoteFiles } from './remote-files.js';
import { joinRemote, type RemoteRoot } from './remote-path.js';

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** How many directories are read at the same time. */
  readonly parallel: number;
}

/**
 * Reads what a node holds below its root; `undefined` when the root does not exist. A `hosts.toml` is read only where
 * it may be right: one that is stale, or of another size than desired, differs anyway.
 */
export async function readNode(
  files: RemoteFiles,
  root: RemoteRoot,
  desired: DesiredState,
  options: ReadOptions,
): Promise<HeldState | undefined> {
  const entries = await files.list(root.path);
  if (entries === undefined) return undefined;

  const fold = nameFolding(root.foldsCase);
  const sizes = new Map(
    [...desired.files].map(([directory, content]) => [fold(directory), Buffer.byteLength(content)]),
  );
  const read = async (name: string): Promise<HeldDirectory[]> => {
    options.signal?.throwIfAborted();
    const directory = joinRemote(root.path, name);
    const inside = await files.list(directory);
    // Gone since the root was listed: somebody else is at work here.
    if (inside === undefined) return [];
    const hosts = findHostsFile(inside, fold);
    const size = sizes.get(fold(name));
    const mayBeRight = hosts?.kind === 'file' && size !== undefined && (hosts.size ?? size) === size;
    const content = mayBeRight ? await files.read(joinRemote(directory, hosts.name), size + 1) : undefined;
    return [{ name, entries: inside, content }];
  };

  const directories = entries.filter(({ kind }) => kind === 'directory').map(({ name }) => name);
  return {
    directories: (await inParallel(directories, options.parallel, read)).flat(),
    others: entries.filter(({ kind }) => kind !== 'directory'),
  };
}
