import { readFile, stat } from 'node:fs/promises';
import { glob, isDynamicPattern } from 'tinyglobby';
import { parseManifests, type ParsedManifests } from '../mirrors/manifest.js';
import { listManifests } from '../standalone/list-manifests.js';
import { CliError } from './cli-error.js';
import { note, type Io } from './io.js';

/** One file as it was read, with its text for showing lines of it. */
export interface Input {
  readonly file: string;
  readonly text: string;
  readonly parsed: ParsedManifests;
}

/**
 * Reads manifests from files, directories (all YAML and JSON below them), globs, or `-` for stdin.
 *
 * @throws CliError when something named cannot be read, or a glob or directory holds no manifest
 */
export async function readInputs(io: Io, names: readonly string[]): Promise<Input[]> {
  const inputs: Input[] = [];
  for (const file of await expand(names)) {
    const text = file === '-' ? await readStdin(io) : await readText(file);
    const shown = file === '-' ? 'stdin' : file;
    inputs.push({ file: shown, text, parsed: parseManifests(text, shown) });
  }
  return inputs;
}

/**
 * Says on stderr what was passed over and what could not be read.
 *
 * @returns true when something could not be read
 */
export function reportInputs(io: Io, inputs: readonly Input[]): boolean {
  for (const { file, line, kind, name } of inputs.flatMap(({ parsed }) => parsed.skipped)) {
    const hint = kind === 'ImageContentSourcePolicy' ? '; convert it with oc adm migrate icsp' : '';
    note(
      io,
      `note: ${file}:${line}: skipped ${kind}${name === '' ? '' : ` "${name}"`}: no mirror set${hint}`,
    );
  }
  const faults = inputs.flatMap(({ parsed }) => parsed.faults);
  for (const { file, line, column, message } of faults)
    note(io, `error: ${file}:${line}:${column}: ${message}`);
  return faults.length > 0;
}

async function expand(names: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const name of names) {
    if (name === '-') {
      files.push(name);
      continue;
    }
    const found = await stat(name).catch(() => undefined);
    if (found?.isDirectory() === true) {
      const below = await listManifests(name);
      if (below.length === 0) throw new CliError(`${name} holds no .yaml, .yml or .json file`);
      files.push(...below);
    } else if (found === undefined && isDynamicPattern(name)) {
      const matches = (await glob(name, { dot: false })).sort();
      if (matches.length === 0) throw new CliError(`no file matches ${name}`);
      files.push(...matches);
    } else {
      files.push(name);
    }
  }
  return [...new Set(files)];
}

/** @throws CliError in one line that names the file */
export async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const reason = { ENOENT: 'no such file', EACCES: 'permission denied', EISDIR: 'it is a directory' }[
      String(code)
    ];
    throw new CliError(`cannot read ${file}: ${reason ?? String(code ?? error)}`, { cause: error });
  }
}

async function readStdin(io: Io): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of io.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}
