import type { RoundClock } from '../../../src/serving/rounds.js';

/** Time that passes only when told to. */
export class ManualClock implements RoundClock {
  #now: number;
  readonly #timers = new Map<object, { readonly at: number; readonly callback: () => void }>();

  constructor(start: Date) {
    this.#now = start.getTime();
  }

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const key = {};
    this.#timers.set(key, { at: this.#now + milliseconds, callback });
    return () => void this.#timers.delete(key);
  }

  /** When the next timer fires, in ms since the epoch; `Infinity` when none is set. */
  get nextTimer(): number {
    return Math.min(...[...this.#timers.values()].map(({ at }) => at));
  }

  /** Goes on to a moment, and calls back what is due then, in order. */
  goTo(moment: number): void {
    this.#now = Math.max(this.#now, moment);
    const due = [...this.#timers].filter(([, { at }]) => at <= this.#now).sort(([, a], [, b]) => a.at - b.at);
    for (const [key, { callback }] of due) if (this.#timers.delete(key)) callback();
  }
}
