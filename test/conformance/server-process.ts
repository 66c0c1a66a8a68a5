/** A real server as a child process: started, waited for, and stopped by its own process id. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ServerCommand {
  /** Shown in errors. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Takes both output streams. */
  readonly logFile: string;
  /** Resolves to true once the server answers; called again until it does. */
  readonly isReady: () => Promise<boolean>;
  /** How long that may take, in ms. Default 30 s. */
  readonly startTimeout?: number;
}

const stopTimeout = 5_000;

export class ServerProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #killWithParent: () => void;

  private constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.#child = child;
    // A test run that ends early must not leave servers behind.
    this.#killWithParent = () => child.kill('SIGKILL');
    process.once('exit', this.#killWithParent);
  }

  /**
   * Starts a server and waits until it is ready.
   *
   * @throws Error with the end of the server's log when it exits before, or does not come up in time
   */
  static async start(command: ServerCommand): Promise<ServerProcess> {
    const log = openSync(command.logFile, 'a');
    const child = spawn(command.program, command.args, {
      env: command.env ?? process.env,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    let failure: Error | undefined;
    child.once('error', (error) => {
      failure = error;
    });
    const server = new ServerProcess(command.name, child);

    const deadline = Date.now() + (command.startTimeout ?? 30_000);
    while (!(await command.isReady())) {
      const problem =
        failure?.message ??
        (server.#hasExited()
          ? `it ended with ${child.signalCode ?? `code ${String(child.exitCode)}`}`
          : Date.now() > deadline
            ? 'it did not become ready'
            : undefined);
      if (problem !== undefined) {
        await server.stop();
        throw new Error(
          `${command.name} could not be started: ${problem}\n${await endOfLog(command.logFile)}`,
        );
      }
      await sleep(20);
    }
    return server;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** SIGTERM, and SIGKILL when that is not enough. Resolves when the process is gone; may be called again. */
  async stop(): Promise<void> {
    process.off('exit', this.#killWithParent);
    if (this.#child.pid === undefined || this.#hasExited()) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const patience = new AbortController();
    const killed = sleep(stopTimeout, undefined, { signal: patience.signal }).then(
      () => this.#child.kill('SIGKILL'),
      () => false,
    );
    await exited;
    patience.abort();
    if (await killed) process.emitWarning(`${this.#name} had to be killed`);
  }

  #hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}

async function endOfLog(path: string): Promise<string> {
  const text = await readFile(path, 'utf8');
  return text.slice(-4_000);
}
