import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What a reader saw of the files that it opened all the time. */
export interface Seen {
  readonly reads: number;
  /** Reads that found no file, each with its time by `process.hrtime.bigint()`, which all processes share. */
  readonly missing: readonly Missing[];
  /** Reads of a file of no length. */
  readonly empty: number;
  /** Reads of a file that was neither whole nor empty. */
  readonly half: number;
  /** Reads of a revision older than one seen before in the same file. */
  readonly backwards: number;
  /** How many revisions were seen. */
  readonly revisions: number;
}

export interface Missing {
  readonly registry: string;
  readonly from: bigint;
  readonly to: bigint;
}

const program = fileURLToPath(new URL('hosts-reader-process.js', import.meta.url));

/** Reads stamped files without pause, in a process of its own. */
export class HostsReader {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** Resolves when it is reading. */
  static async start(root: string, registries: readonly string[]): Promise<HostsReader> {
    const reader = fork(program, [root, ...registries], { serialization: 'advanced', execArgv: [] });
    await once(reader, 'message');
    return new HostsReader(reader);
  }

  /** Ends the process and tells what it saw. */
  async finish(): Promise<Seen> {
    const ended = once(this.#process, 'exit');
    const told = once(this.#process, 'message') as Promise<[Seen]>;
    this.#process.send('finish');
    const [seen] = await Promise.race([
      told,
      ended.then(([code]) => {
        throw new Error(`the reader ended with ${String(code)} before it told what it saw`);
      }),
    ]);
    await ended;
    return seen;
  }

  /** Ends the process, if it still runs. */
  stop(): void {
    this.#process.kill('SIGKILL');
  }
}
