import { clearTimeout, setTimeout as startTimer } from 'node:timers';
import type { SFTPWrapper } from 'ssh2';
import type { Interrupt, SandboxOperation, SftpStatusCode } from './sandbox-operation.js';
import { statusOfError, wordsOf } from './sftp-status.js';

export interface SftpRequestRunnerOptions {
  /** Sees every request before it is carried out, and decides about it. */
  readonly interrupt: Interrupt;
  /** Cuts the connection that the session runs on. */
  readonly drop: () => void;
  /** Milliseconds from a request's arrival until it is carried out. Requests wait side by side, as on a long wire. */
  readonly latencyMs: number;
  /** Told of an error that is neither the client's nor the file system's; the connection is then dropped. */
  readonly onFault: (error: unknown) => void;
}

/** Carries the requests of one SFTP session out, each in its time and in the order of their arrival. */
export class SftpRequestRunner {
  readonly #sftp: SFTPWrapper;
  readonly #options: SftpRequestRunnerOptions;
  readonly #waiting = new Set<NodeJS.Timeout>();
  #ended = false;

  constructor(sftp: SFTPWrapper, options: SftpRequestRunnerOptions) {
    this.#sftp = sftp;
    this.#options = options;
  }

  /**
   * Takes a request. When its time comes, `describe` tells what it is, and `work` answers it or throws why it cannot
   * be done; unless the session has ended or the request is interrupted.
   */
  take(id: number, describe: () => SandboxOperation, work: () => void): void {
    const { latencyMs } = this.#options;
    if (latencyMs === 0) {
      this.#run(id, describe, work);
      return;
    }
    // Timers of one duration run in the order in which they were set, so the order of requests is kept.
    const timer = startTimer(() => {
      this.#waiting.delete(timer);
      this.#run(id, describe, work);
    }, latencyMs);
    this.#waiting.add(timer);
  }

  /** Answers a request with a status, in the words of OpenSSH. */
  reply(id: number, status: SftpStatusCode): void {
    this.#sftp.status(id, status, wordsOf(status));
  }

  /** Forgets the requests that wait, and takes no more. */
  end(): void {
    this.#ended = true;
    for (const timer of this.#waiting) clearTimeout(timer);
    this.#waiting.clear();
  }

  #run(id: number, describe: () => SandboxOperation, work: () => void): void {
    if (this.#ended) return;
    try {
      const verdict = this.#options.interrupt(describe());
      if (verdict === 'drop') this.#options.drop();
      else if (verdict === 'continue') work();
      else this.#sftp.status(id, verdict.status, verdict.message ?? wordsOf(verdict.status));
    } catch (error) {
      const status = statusOfError(error);
      if (status !== undefined) {
        this.reply(id, status);
        return;
      }
      this.#options.onFault(error);
      this.#options.drop();
    }
  }
}
