/** Time as rounds see it; a test gives its own. */
export interface RoundClock {
  /** In ms since the epoch. */
  now(): number;
  /** Calls back once after a wait in ms. What it returns cancels it. */
  after(milliseconds: number, callback: () => void): () => void;
}

/** A timer has a longest time, and a clock may be set: the next round comes after this time, in ms, at the latest. */
const longestWait = 60 * 60_000;
const shortestWait = 20;

/** Rounds of one kind of work that never overlap: when asked for, and when the last one said. */
export class Rounds {
  readonly #clock: RoundClock;
  readonly #round: () => Promise<number>;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #cancelTimer: () => void = () => undefined;
  #stopped = false;

  /** @param round one round; resolves with when the next one is due, in ms since the epoch, and never rejects */
  constructor(clock: RoundClock, round: () => Promise<number>) {
    this.#clock = clock;
    this.#round = round;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Resolves when a round that began after the call has ended; several calls may share one. */
  request(): Promise<void> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#run();
    });
    this.#running = this.#next;
    return this.#next;
  }

  /** Resolves when the round under way has ended; no other one begins. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer();
    await this.#running;
  }

  async #run(): Promise<void> {
    if (this.#stopped) return;
    this.#cancelTimer();
    const due = await this.#round();
    // Set by stop() meanwhile, which the compiler cannot see.
    if (this.#stopped as boolean) return;
    const wait = Math.min(longestWait, Math.max(shortestWait, due - this.#clock.now()));
    this.#cancelTimer = this.#clock.after(wait, () => void this.request());
  }
}
