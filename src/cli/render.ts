import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTwoFilesPatch } from 'diff';
import writeFileAtomic from 'write-file-atomic';
import { hostsFileName, type DesiredState } from '../hosts/desired-state.js';
import { diffStates } from '../hosts/compare.js';
import { withoutCredentials } from '../hosts/redact.js';
import { exitCodes } from './cli-error.js';
import { note, painter, type Io, type Paint } from './io.js';
import { loadPolicy, type PolicyFlags } from './load-policy.js';
import { readInputs, reportInputs } from './read-inputs.js';
import { renderInputs } from './rendered.js';

export interface RenderFlags extends PolicyFlags {
  /** Write the tree here, credentials included. */
  readonly out?: string;
  /** Compare with the tree here, and write nothing. */
  readonly diff?: string;
  /** File with the pull secret whose credentials are rendered. */
  readonly pullSecret?: string;
}

/** A rendered file may carry credentials: for its owner's eyes only. */
const fileMode = 0o600;

/** `mirrorgate render FILE…`: the hosts.toml tree, to stdout or a directory, or its difference from one. */
export async function render(io: Io, names: readonly string[], flags: RenderFlags): Promise<number> {
  const policy = await loadPolicy(flags);
  const inputs = await readInputs(io, names);
  const unreadable = reportInputs(io, inputs);
  const { desired, findings } = await renderInputs(inputs, policy, flags.pullSecret);
  for (const { message } of findings) note(io, `warning: ${message}`);

  if (flags.diff !== undefined) {
    const differs = await showDifference(io, flags.diff, desired);
    if (unreadable) return exitCodes.usage;
    return differs ? exitCodes.negative : exitCodes.ok;
  }
  if (flags.out !== undefined) await writeTree(io, flags.out, desired);
  else show(io, desired);
  return unreadable ? exitCodes.usage : exitCodes.ok;
}

function show(io: Io, { files, revision }: DesiredState): void {
  const paint = painter(io, io.stdout);
  for (const [directory, content] of files) {
    io.stdout.write(`${paint('bold', `# ${directory}/${hostsFileName}`)}\n${withoutCredentials(content)}\n`);
  }
  note(io, `${count(files.size)}, revision ${revision.slice(0, 12)}; --out DIR writes them`);
}

async function writeTree(io: Io, out: string, { files, revision }: DesiredState): Promise<void> {
  for (const [directory, content] of files) {
    await mkdir(join(out, directory), { recursive: true });
    await writeFileAtomic(join(out, directory, hostsFileName), content, { mode: fileMode });
  }
  note(io, `wrote ${count(files.size)} to ${out}, revision ${revision.slice(0, 12)}`);
  const { removed } = diffStates(await readTree(out), files);
  for (const directory of removed) {
    note(io, `note: ${join(out, directory, hostsFileName)} was there and is not part of this; left alone`);
  }
}

/** Prints what would change, without credentials; says so on stderr when nothing would. */
async function showDifference(io: Io, directory: string, { files }: DesiredState): Promise<boolean> {
  const paint = painter(io, io.stdout);
  const held = await readTree(directory);
  const { added, changed, removed } = diffStates(held, files);
  for (const name of [...added, ...changed, ...removed].sort()) {
    const patch = createTwoFilesPatch(
      join(directory, name, hostsFileName),
      `rendered/${name}/${hostsFileName}`,
      withoutCredentials(held.get(name) ?? ''),
      withoutCredentials(files.get(name) ?? ''),
      undefined,
      undefined,
      { context: 3 },
    );
    io.stdout.write(paintPatch(patch, paint));
  }
  const differs = added.length + changed.length + removed.length > 0;
  note(
    io,
    differs
      ? `${added.length} added, ${changed.length} changed, ${removed.length} removed (credentials are compared but not shown)`
      : `no difference: ${directory} holds what would be rendered`,
  );
  return differs;
}

async function readTree(directory: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const items = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  for (const item of items) {
    if (!item.isDirectory()) continue;
    const content = await readFile(join(directory, item.name, hostsFileName), 'utf8').catch(() => undefined);
    if (content !== undefined) files.set(item.name, content);
  }
  return files;
}

function paintPatch(patch: string, paint: Paint): string {
  // The first line is a ruler that says nothing here.
  return patch
    .replace(/^=+\n/, '')
    .split('\n')
    .map((line) =>
      line.startsWith('+') ? paint('green', line) : line.startsWith('-') ? paint('red', line) : line,
    )
    .join('\n');
}

function count(files: number): string {
  return `${files} ${files === 1 ? 'file' : 'files'}`;
}
