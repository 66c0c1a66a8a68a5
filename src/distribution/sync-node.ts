import { setTimeout as sleep } from 'node:timers/promises';
import type { DesiredState } from '../hosts/desired-state.js';
import { inParallel } from './in-parallel.js';
import { NodeError } from './node-error.js';
import {
  planNode,
  temporaryName,
  type BlockedPlace,
  type FilePlace,
  type NodePlan,
  type PlannedWrite,
} from './node-plan.js';
import { readNode } from './read-node.js';
import type { RemoteFiles } from './remote-files.js';
import { displayPath, joinRemote, lineageOf, parseRemoteRoot, type RemoteRoot } from './remote-path.js';

export interface SyncOptions {
  /** A fresh random text of hexadecimal digits at each call; names temporary files. */
  readonly randomSuffix: () => string;
  /** Aborting it ends the run between two files: the file under way is finished. */
  readonly signal?: AbortSignal | undefined;
  /** How many files or directories are in flight together. */
  readonly parallel?: number | undefined;
  /** Waits before a replace is tried again, in milliseconds. */
  readonly pause?: ((milliseconds: number) => Promise<unknown>) | undefined;
}

/** What a run did to a node. Paths are below the root, with `/`. */
export interface SyncResult {
  readonly written: readonly string[];
  readonly removed: readonly string[];
  readonly unchanged: number;
  /** Files and directories that are not ours, and were left alone. */
  readonly foreign: readonly string[];
  /** Temporary files and empty directories that an earlier run had left. */
  readonly leftoversCleared: readonly string[];
}

/**
 * Reading holds a file open for a moment, and Windows refuses to replace a file that is open. containerd reads these
 * files at every pull.
 */
const replacePauses = [50, 200, 500];
/** As many as OpenSSH's own sftp leaves unanswered: over a long wire the time is spent waiting for the first of them. */
const defaultParallel = 64;

/**
 * Brings a node to the desired state: reads everything, writes what is new or differs, then removes what is stale. At
 * no moment is a registry without the mirrors that it has before and after. A node in sync is only read.
 *
 * @param root as a person writes it: `C:\k\containerd\registries`
 * @throws NodeError when the node or its files fail; the signal's reason when it is aborted
 */
export async function syncNode(
  files: RemoteFiles,
  root: string,
  desired: DesiredState,
  options: SyncOptions,
): Promise<SyncResult> {
  const place = rootOf(root);
  const parallel = options.parallel ?? defaultParallel;
  const each = <Item>(items: readonly Item[], step: (item: Item) => Promise<void>): Promise<unknown> =>
    inParallel(items, parallel, (item) => {
      options.signal?.throwIfAborted();
      return step(item);
    });

  const held = await readNode(files, place, desired, { signal: options.signal, parallel });
  const plan = planNode(held ?? { directories: [], others: [] }, desired, place);

  if (held === undefined && plan.writes.length > 0) await makeRoot(files, place);
  await each(plan.writes, (write) => writeFile(files, place, write, options));
  await each(plan.removals, (file) => removeFile(files, place, file));
  await each(plan.leftovers, (file) => removeFile(files, place, file));
  const emptied = new Set<string>();
  await each(plan.emptied, async (directory) => {
    if (await files.removeDirectory(joinRemote(place.path, directory))) emptied.add(directory);
  });

  for (const blocked of plan.blocked) throw blockedError(place, blocked);
  return resultOf(plan, emptied);
}

async function makeRoot(files: RemoteFiles, root: RemoteRoot): Promise<void> {
  for (const directory of lineageOf(root.path)) await files.makeDirectory(directory);
}

/** Beside the target, renamed over it, read back. */
async function writeFile(
  files: RemoteFiles,
  root: RemoteRoot,
  write: PlannedWrite,
  options: SyncOptions,
): Promise<void> {
  const directory = joinRemote(root.path, write.directory);
  const target = joinRemote(directory, write.file);
  const temporary = joinRemote(directory, temporaryName(write.file, options.randomSuffix()));

  if (write.makeDirectory) await files.makeDirectory(directory);
  try {
    await files.create(temporary, write.content);
    await replacePatiently(files, temporary, target, options.pause ?? sleep);
  } catch (error) {
    // What cannot be cleared now, the next run clears.
    await files.remove(temporary).catch(() => undefined);
    throw error;
  }

  const found = await files.read(target, write.content.length + 1);
  if (found?.equals(write.content) !== true) {
    throw new NodeError(
      'protocol',
      `${displayPath(target)} does not hold what was written to it`,
      'another program writes there too (the Windows Machine Config Operator, a scanner); it is tried again',
    );
  }
}

async function replacePatiently(
  files: RemoteFiles,
  from: string,
  to: string,
  pause: (milliseconds: number) => Promise<unknown>,
): Promise<void> {
  for (const wait of replacePauses) {
    try {
      await files.replace(from, to);
      return;
    } catch (error) {
      const mayPass =
        error instanceof NodeError && (error.class === 'permission' || error.class === 'protocol');
      if (!mayPass) throw error;
      await pause(wait);
    }
  }
  await files.replace(from, to);
}

async function removeFile(
  files: RemoteFiles,
  root: RemoteRoot,
  { directory, file }: FilePlace,
): Promise<void> {
  await files.remove(joinRemote(root.path, directory, file));
}

function rootOf(text: string): RemoteRoot {
  const parsed = parseRemoteRoot(text);
  if (parsed.ok) return parsed.root;
  throw new NodeError(
    'protocol',
    `the root directory ${parsed.fault}`,
    'correct the root in the configuration',
  );
}

function blockedError(root: RemoteRoot, { path, needed }: BlockedPlace): NodeError {
  const place = displayPath(joinRemote(root.path, ...path.split('/')));
  return new NodeError(
    'protocol',
    `${place} is not a ${needed}, and a ${needed} is needed there`,
    `move ${place} away; everything else on the node is in sync`,
  );
}

function resultOf(plan: NodePlan, emptied: ReadonlySet<string>): SyncResult {
  const pathOf = ({ directory, file }: FilePlace): string => `${directory}/${file}`;
  const stale = new Set(plan.removals.map(({ directory }) => directory));
  const emptyBefore = plan.emptied.filter((directory) => !stale.has(directory) && emptied.has(directory));
  return {
    written: plan.writes.map(pathOf),
    removed: plan.removals.map(pathOf),
    unchanged: plan.unchanged,
    foreign: [...plan.foreign].sort(),
    leftoversCleared: [
      ...plan.leftovers.map(pathOf),
      ...emptyBefore.map((directory) => `${directory}/`),
    ].sort(),
  };
}
