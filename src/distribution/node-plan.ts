import { Buffer } from 'node:buffer';
import { hostsFileName, type DesiredState } from '../hosts/desired-state.js';
import type { RemoteEntry } from './remote-files.js';

/** What stands below a node's root. Secret material, as desired state is. */
export interface HeldState {
  readonly directories: readonly HeldDirectory[];
  /** Entries of the root that are no directories. */
  readonly others: readonly RemoteEntry[];
}

export interface HeldDirectory {
  /** As the node spells it. */
  readonly name: string;
  readonly entries: readonly RemoteEntry[];
  /** Content of its `hosts.toml`; `undefined` when it has none, or one that is known to differ without reading it. */
  readonly content: Buffer | undefined;
}

/** What has to be done to a node. Names are spelled as the node spells them; new ones as desired. */
export interface NodePlan {
  readonly writes: readonly PlannedWrite[];
  /** `hosts.toml` files that nothing asks for any more. */
  readonly removals: readonly FilePlace[];
  /** Temporary files of runs that died. */
  readonly leftovers: readonly FilePlace[];
  /** Directories in which nothing is left once the above is done. */
  readonly emptied: readonly string[];
  readonly unchanged: number;
  /** Paths below the root, with `/`, that are nobody's business here: left alone. A directory ends with `/`. */
  readonly foreign: readonly string[];
  /** Desired paths that cannot be written, since something else stands there. */
  readonly blocked: readonly BlockedPlace[];
}

export interface FilePlace {
  readonly directory: string;
  readonly file: string;
}

export interface PlannedWrite extends FilePlace {
  readonly content: Buffer;
  readonly makeDirectory: boolean;
}

export interface BlockedPlace {
  /** Path below the root, with `/`. */
  readonly path: string;
  readonly needed: 'directory' | 'file';
}

/** Name of the temporary file that a `hosts.toml` is written to first. */
export function temporaryName(file: string, suffix: string): string {
  return `${file}.${suffix}.mirrorgate-tmp`;
}

/** The path as it is named to people, who know the file that is to be there: the same at every try. */
export function withoutTemporaryName(path: string): string {
  return path.replace(/\.[^./]+\.mirrorgate-tmp$/, '');
}

/** How a node compares names: as they are, or, on Windows, with case folded. */
export function nameFolding(foldsCase: boolean): (name: string) => string {
  return foldsCase ? (name) => name.toLowerCase() : (name) => name;
}

/** Finds the `hosts.toml` among a directory's entries. */
export function findHostsFile(
  entries: readonly RemoteEntry[],
  fold: (name: string) => string,
): RemoteEntry | undefined {
  return (
    entries.find(({ name }) => name === hostsFileName) ??
    entries.find(({ name }) => fold(name) === hostsFileName)
  );
}

/**
 * Compares what a node holds with what it should hold. Pure: the same in, the same out, in order of directory names.
 *
 * A directory that is empty is taken for one that a run that died has left: an empty directory would hide containerd's
 * `_default`, and it serves nobody.
 */
export function planNode(held: HeldState, desired: DesiredState, options: { foldsCase: boolean }): NodePlan {
  const fold = nameFolding(options.foldsCase);
  const wanted = new Map(
    [...desired.files].map(([directory, content]) => [fold(directory), { directory, content }]),
  );
  for (const { directory } of wanted.values()) assertSegment(directory);

  const plan = emptyPlan();
  for (const directory of [...held.directories].sort(byName)) {
    const want = wanted.get(fold(directory.name));
    wanted.delete(fold(directory.name));
    planDirectory(plan, directory, want?.content, fold);
  }
  for (const entry of [...held.others].sort(byName)) {
    if (wanted.delete(fold(entry.name))) plan.blocked.push({ path: entry.name, needed: 'directory' });
    else plan.foreign.push(entry.name);
  }
  for (const { directory, content } of wanted.values()) {
    plan.writes.push({ directory, file: hostsFileName, content: Buffer.from(content), makeDirectory: true });
  }
  plan.writes.sort((left, right) => compare(left.directory, right.directory));
  return plan;
}

function planDirectory(
  plan: Draft,
  directory: HeldDirectory,
  content: string | undefined,
  fold: (name: string) => string,
): void {
  const hosts = findHostsFile(directory.entries, fold);
  const leftovers = directory.entries.filter(({ name, kind }) => kind === 'file' && isTemporary(fold(name)));
  const foreign = directory.entries.filter((entry) => entry !== hosts && !leftovers.includes(entry));
  const inDirectory = ({ name, kind }: RemoteEntry): string =>
    `${directory.name}/${name}${kind === 'directory' ? '/' : ''}`;

  plan.leftovers.push(...leftovers.map(({ name }) => ({ directory: directory.name, file: name })));
  plan.foreign.push(...foreign.map(inDirectory));

  if (content !== undefined) {
    const bytes = Buffer.from(content);
    if (hosts !== undefined && hosts.kind !== 'file') {
      plan.blocked.push({ path: `${directory.name}/${hosts.name}`, needed: 'file' });
    } else if (directory.content?.equals(bytes) === true) {
      plan.unchanged += 1;
    } else {
      const file = hosts?.name ?? hostsFileName;
      plan.writes.push({ directory: directory.name, file, content: bytes, makeDirectory: false });
    }
    return;
  }

  if (hosts?.kind === 'file') plan.removals.push({ directory: directory.name, file: hosts.name });
  else if (hosts !== undefined) plan.foreign.push(inDirectory(hosts));
  if (foreign.length === 0 && (hosts === undefined || hosts.kind === 'file'))
    plan.emptied.push(directory.name);
}

/** Of ours, or of a run of ours that died: `hosts.toml.<random>.mirrorgate-tmp`. */
function isTemporary(name: string): boolean {
  return name.startsWith(`${hostsFileName}.`) && name.endsWith('.mirrorgate-tmp');
}

/** Desired state is rendered from references, so this never happens: a path that leaves the root is not to be tried. */
function assertSegment(directory: string): void {
  if (directory === '' || directory === '.' || directory === '..' || /[/\\]/.test(directory)) {
    throw new Error(`registry directory "${directory}" is not a single path segment`);
  }
}

type Draft = {
  -readonly [Key in keyof NodePlan]: NodePlan[Key] extends readonly (infer Item)[] ? Item[] : NodePlan[Key];
};

function emptyPlan(): Draft {
  return { writes: [], removals: [], leftovers: [], emptied: [], unchanged: 0, foreign: [], blocked: [] };
}

function byName(left: { readonly name: string }, right: { readonly name: string }): number {
  return compare(left.name, right.name);
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
