/** The containerd versions that the conformance tests run against: this machine's own, and those of later suites. */
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { requireProgram } from './program.js';

export interface ContainerdPrograms {
  /** `1.6`, `1.7`, `2.1`, … */
  readonly series: string;
  /** As the program tells it: `1.6.20`. */
  readonly version: string;
  readonly containerd: string;
  readonly ctr: string;
}

/** What was looked for: programs, or why a later suite's could not be had. */
export interface ContainerdVersions {
  readonly found: readonly ContainerdPrograms[];
  readonly missing: readonly { readonly suite: string; readonly reason: string }[];
}

/** Debian suites after the one that the tests are written for; they hold 1.7 and 2.x. */
const laterSuites = ['trixie', 'sid'];

const run = promisify(execFile);

/**
 * Finds the installed containerd and fetches those of the later suites. The installed one is needed; a suite that cannot
 * be reached is reported, by banner and in the result.
 *
 * @throws Error when containerd is not installed
 */
export async function findContainerdVersions(): Promise<ContainerdVersions> {
  const installed = await programsIn(dirname(requireProgram('containerd', 'containerd')));
  const found = [installed];
  const missing: { suite: string; reason: string }[] = [];
  // One after the other: each unpacks over 100 MB.
  for (const suite of laterSuites) {
    try {
      const { stdout } = await run(join(import.meta.dirname, 'fetch-containerd.sh'), [suite]);
      found.push(await programsIn(stdout.trim()));
    } catch (error) {
      missing.push({ suite, reason: reasonOf(error) });
    }
  }
  for (const gap of missing) process.stderr.write(banner(gap));
  return { found, missing };
}

async function programsIn(folder: string): Promise<ContainerdPrograms> {
  const containerd = join(folder, 'containerd');
  const { stdout } = await run(containerd, ['--version']);
  const version = /\bv?(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`containerd told no version: ${stdout}`);
  return {
    series: version.split('.').slice(0, 2).join('.'),
    version,
    containerd,
    ctr: join(folder, 'ctr'),
  };
}

function banner({ suite, reason }: { suite: string; reason: string }): string {
  const bar = '!'.repeat(100);
  return `\n${bar}\n!! NOT TESTED: the containerd of Debian ${suite} could not be fetched\n!! ${reason}\n${bar}\n`;
}

/** The last line that the script wrote says what went wrong. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const stderr = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr : '';
  return stderr.trim().split('\n').at(-1) ?? error.message;
}
