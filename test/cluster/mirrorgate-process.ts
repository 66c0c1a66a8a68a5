import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { inject } from 'vitest';
import { untilDeath } from './until-death.js';

/** One line of the log, as pino writes it, with the fields beside the message. */
export interface LogLine {
  readonly level: number;
  /** ms since 1970. */
  readonly time: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface MirrorgateOptions {
  readonly kubeconfig: string;
  /** More arguments of `serve`; one that stands among the usual ones already replaces it. */
  readonly args?: readonly string[];
  /** By default a new folder, which is removed at the end. */
  readonly cwd?: string;
  /** Beside PATH and HOME, which is `cwd`. */
  readonly env?: Readonly<Record<string, string>>;
  /** How long it may take until it serves, in ms. Default 60 s. */
  readonly startTimeout?: number;
}

/** `mirrorgate serve` in a process of its own. */
export interface MirrorgateProcess {
  readonly pid: number;
  /** Webhook and check service, `https://127.0.0.1:PORT`. */
  readonly url: string;
  /** `http://127.0.0.1:PORT`. */
  readonly metricsUrl: string;
  /** What it has logged so far. */
  log(): readonly LogLine[];
  /** All that it has written to stdout and stderr so far. */
  output(): string;
  /**
   * Resolves with the first line of the log that matches, be it there already or yet to come.
   *
   * @param match what the message matches, or what the line fulfils
   * @param options `timeout` in ms, 30 s by default; `from`: lines before that index do not count
   * @throws Error with all the output when it does not come in time, or the process ends before
   */
  waitForLog(
    match: RegExp | ((line: LogLine) => boolean),
    options?: { readonly timeout?: number; readonly from?: number },
  ): Promise<LogLine>;
  /** Sends a signal, and waits for nothing: see `exited`. */
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM. Resolves with the exit code, `null` when a signal ended it; may be called again. */
  stop(): Promise<number | null>;
  readonly exited: Promise<ExitStatus>;
}

const stopTimeout = 60_000;

/** Starts `mirrorgate serve` and waits until it says where it serves. */
export async function startMirrorgate(options: MirrorgateOptions): Promise<MirrorgateProcess> {
  const { main, fault } = inject('mirrorgate');
  if (fault !== undefined) throw new Error(`mirrorgate could not be built:\n${fault}`);
  const running = new RunningMirrorgate(main, options);
  try {
    const timeout = options.startTimeout ?? 60_000;
    const { url, metrics } = await running.waitForLog(isAddressLine, { timeout });
    return Object.assign(running, { url: String(url), metricsUrl: String(metrics) });
  } catch (error) {
    running.kill('SIGKILL');
    await running.exited;
    throw error;
  }
}

function isAddressLine({ url, metrics }: LogLine): boolean {
  return typeof url === 'string' && typeof metrics === 'string';
}

class RunningMirrorgate {
  readonly pid: number;
  readonly exited: Promise<ExitStatus>;
  readonly #child: ChildProcess;
  readonly #lines: LogLine[] = [];
  readonly #listeners = new Set<() => void>();
  #output = '';
  #isOver = false;

  constructor(main: string, { kubeconfig, args = [], cwd, env }: MirrorgateOptions) {
    const folder = cwd ?? mkdtempSync(join(tmpdir(), 'mirrorgate-serve-'));
    const { program, args: command } = untilDeath(process.execPath, [
      main,
      'serve',
      `--kubeconfig=${kubeconfig}`,
      '--namespace=mirrorgate',
      '--bind=127.0.0.1:0',
      '--metrics-bind=127.0.0.1:0',
      '--log-format=json',
      ...args,
    ]);
    const child = spawn(program, command, {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (child.pid === undefined) throw new Error('setpriv, of the Debian package util-linux, cannot be run');
    this.pid = child.pid;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (text) => {
        this.#output += `${text}\n`;
        const line = parseLine(text);
        if (line !== undefined) this.#lines.push(line);
        this.#tell();
      });
    }
    this.exited = once(child, 'close').then(([code, signal]) => {
      this.#isOver = true;
      if (cwd === undefined) rmSync(folder, { recursive: true, force: true });
      this.#tell();
      return { code: code as number | null, signal: signal as NodeJS.Signals | null };
    });
  }

  log(): readonly LogLine[] {
    return [...this.#lines];
  }

  output(): string {
    return this.#output;
  }

  waitForLog(
    match: RegExp | ((line: LogLine) => boolean),
    { timeout = 30_000, from = 0 }: { readonly timeout?: number; readonly from?: number } = {},
  ): Promise<LogLine> {
    const matches = match instanceof RegExp ? ({ msg }: LogLine) => match.test(msg) : match;
    const wanted = match instanceof RegExp ? String(match) : 'what was waited for';
    return new Promise((resolve, reject) => {
      let next = from;
      const finish = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(look);
      };
      const fail = (why: string): void => {
        finish();
        reject(new Error(`mirrorgate ${why} and has not logged ${wanted}:\n${this.#output}`));
      };
      const look = (): void => {
        for (; next < this.#lines.length; next += 1) {
          const line = this.#lines[next];
          if (line === undefined || !matches(line)) continue;
          finish();
          resolve(line);
          return;
        }
        if (this.#isOver) fail('has ended');
      };
      const timer = setTimeout(() => {
        fail(`has had ${timeout} ms`);
      }, timeout);
      this.#listeners.add(look);
      look();
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stop(): Promise<number | null> {
    const from = Date.now();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopTimeout);
    this.#child.kill('SIGTERM');
    const { code } = await this.exited;
    clearTimeout(timer);
    if (Date.now() - from >= stopTimeout)
      throw new Error(`mirrorgate does not stop at SIGTERM:\n${this.#output}`);
    return code;
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** `undefined` for what is no line of the log, such as a stack trace of node itself. */
function parseLine(text: string): LogLine | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'msg' in value ? (value as LogLine) : undefined;
  } catch {
    return undefined;
  }
}
