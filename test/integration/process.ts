import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished, vi } from 'vitest';

export interface RunningProcess {
  /** Everything it has written so far, both streams. */
  output(): string;
  stdout(): string;
  /** Resolves once the output matches; fails with the output when it does not within the time of a test. */
  sees(pattern: RegExp | string): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** The exit code, or the signal that ended it. */
  ended(): Promise<number | NodeJS.Signals>;
}

/** Runs the built program in a process of its own, which is gone after the test. */
export function runMirrorgate(
  args: readonly string[],
  options: { readonly cwd?: string } = {},
): RunningProcess {
  const main = new URL('../../dist/cli/main.js', import.meta.url).pathname;
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  let all = '';
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    all += text;
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (all += text));
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  onTestFinished(() => {
    if (child.exitCode === null) child.kill('SIGKILL');
  });
  return {
    output: () => all,
    stdout: () => stdout,
    async sees(pattern) {
      await vi
        .waitUntil(() => (typeof pattern === 'string' ? all.includes(pattern) : pattern.test(all)), {
          timeout: 15_000,
          interval: 20,
        })
        .catch((error: unknown) => {
          throw new Error(`the output never matched ${String(pattern)}:\n${all}`, { cause: error });
        });
    },
    signal: (signal) => void child.kill(signal),
    async ended() {
      const [code, signal] = await ended;
      return code ?? signal ?? -1;
    },
  };
}
