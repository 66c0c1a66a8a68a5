export interface RetryDelayOptions {
  /** A number in [0, 1) at each call: spreads what failed together. */
  readonly random: () => number;
  /** In ms; the first wait is 1 s and more, each further one twice that. Default one minute. */
  readonly longest?: number;
}

const shortest = 1_000;

/** When something that failed may be tried again. */
export class RetryDelay {
  readonly #random: () => number;
  readonly #longest: number;
  #failures = 0;
  #until = 0;

  constructor({ random, longest = 60_000 }: RetryDelayOptions) {
    this.#random = random;
    this.#longest = longest;
  }

  /** In ms since the epoch; in the past when nothing has failed. */
  get until(): number {
    return this.#until;
  }

  /** How often in a row it has failed. */
  get failures(): number {
    return this.#failures;
  }

  failed(now: number): void {
    const least = Math.min(this.#longest / 2, shortest * 2 ** Math.min(this.#failures, 16));
    this.#failures += 1;
    this.#until = now + Math.round(least * (1 + this.#random()));
  }

  succeeded(): void {
    this.#failures = 0;
    this.#until = 0;
  }
}
