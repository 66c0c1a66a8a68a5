import { Readable } from 'node:stream';
import { runProgram } from '../../../src/cli/program.js';

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly isTTY?: boolean;
  readonly now?: Date;
  readonly program?: string;
}

/** Runs one command line in this process, with everything around it caught. */
export async function runCommand(
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const {
    stdin = '',
    env = {},
    isTTY = false,
    now = new Date('2026-06-01T12:00:00Z'),
    program = 'mirrorgate',
  } = options;
  let stdout = '';
  let stderr = '';
  const exitCode = await runProgram(['node', program, ...args], {
    stdout: { write: (text) => (stdout += text), isTTY },
    stderr: { write: (text) => (stderr += text), isTTY },
    stdin: Readable.from([stdin]),
    env,
    now: () => now,
  });
  return { exitCode, stdout, stderr };
}
