import type { ApiError } from './api-error.js';
import { callObserver } from './call-observer.js';

/** What is wrong at the moment, told once per fault and not at every retry. */
export class FaultNews {
  readonly #observe: (fault: ApiError | undefined) => void;
  #current: ApiError | undefined;

  constructor(observe: ((fault: ApiError | undefined) => void) | undefined) {
    this.#observe = observe ?? (() => undefined);
  }

  current(): ApiError | undefined {
    return this.#current;
  }

  /** Takes note of a fault, or that there is none. It is news when it is of another kind than the last. */
  set(fault: ApiError | undefined): void {
    const isNews = this.#current?.code !== fault?.code;
    this.#current = fault;
    if (!isNews) return;
    callObserver(() => {
      this.#observe(fault);
    });
  }
}
