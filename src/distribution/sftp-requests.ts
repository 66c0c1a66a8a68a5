import { unreachableError } from './node-error.js';
import type { TargetNode } from './target-node.js';

/** How ssh2 answers a request. */
export type Done<T> = (error: Error | null | undefined, value?: T) => void;

/**
 * The requests of one session: each is answered within a bounded time, and all that are under way reject when the
 * session ends. ssh2 by itself never answers what is sent over a channel that has closed.
 */
export class SftpRequests {
  readonly #node: TargetNode;
  readonly #timeout: number;
  readonly #check: () => void;
  readonly #pending = new Set<(reason: unknown) => void>();
  #over: { readonly reason: unknown } | undefined;

  /**
   * @param timeout longest time for one answer, in milliseconds
   * @param check called before each request; what it throws ends the session
   */
  constructor(node: TargetNode, timeout: number, check: () => void = () => undefined) {
    this.#node = node;
    this.#timeout = timeout;
    this.#check = check;
  }

  /** Sends one request; rejects with the server's own error, or with what ended the session. */
  ask<T = undefined>(start: (done: Done<T>) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      try {
        if (this.#over === undefined) this.#check();
      } catch (error) {
        this.finish(error);
      }
      if (this.#over !== undefined) {
        reject(asError(this.#over.reason));
        return;
      }
      const settle = (): void => {
        clearTimeout(timer);
        this.#pending.delete(fail);
      };
      const fail = (reason: unknown): void => {
        settle();
        reject(asError(reason));
      };
      const timer = setTimeout(() => {
        fail(unreachableError(this.#node, `gave no answer over SFTP within ${this.#timeout / 1000} s`));
      }, this.#timeout);
      this.#pending.add(fail);
      try {
        start((error, value) => {
          if (error !== undefined && error !== null) {
            fail(error);
          } else {
            settle();
            resolve(value as T);
          }
        });
      } catch (error) {
        fail(error);
      }
    });
  }

  /** As {@link ask}, for a protocol extension: false, without a request, where the server does not offer it. */
  async askIfOffered<T>(start: (done: Done<T>) => void): Promise<boolean> {
    let offered = true;
    await this.ask<T | undefined>((done) => {
      try {
        start(done);
      } catch {
        // ssh2 throws before it sends anything.
        offered = false;
        done(undefined);
      }
    });
    return offered;
  }

  /** Ends the session: what is under way rejects with the reason, and so does all that comes. The first reason holds. */
  finish(reason: unknown): void {
    this.#over ??= { reason };
    for (const fail of [...this.#pending]) fail(this.#over.reason);
  }

  /** True when the error is what ended the session, and no answer of the server. */
  endedBy(error: unknown): boolean {
    return this.#over !== undefined && this.#over.reason === error;
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason), { cause: reason });
}
