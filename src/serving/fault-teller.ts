import type { ServingError } from './serving-error.js';

/** Tells of faults that last: each once, however often it is met. */
export class FaultTeller<Topic extends string> {
  readonly #onFault: (fault: ServingError) => void;
  readonly #told = new Map<Topic, string>();

  constructor(onFault: (fault: ServingError) => void) {
    this.#onFault = onFault;
  }

  /** What is wrong with a topic now; `undefined` when nothing is any more. */
  tell(topic: Topic, fault: ServingError | undefined): void {
    if (this.#told.get(topic) === fault?.message) return;
    if (fault === undefined) {
      this.#told.delete(topic);
      return;
    }
    this.#told.set(topic, fault.message);
    this.#onFault(fault);
  }
}
