export interface TokenBucketOptions {
  /** How many may be taken at once. */
  readonly burst: number;
  /** One more comes after this time, in ms. */
  readonly refillMs: number;
}

interface Bucket {
  tokens: number;
  /** When `tokens` was right, in ms. */
  at: number;
}

/** So many buckets are looked through for full ones, which need not be remembered. */
const sweepAt = 1_000;

/** Limits how often something may happen per key: bursts, and few after that. */
export class TokenBuckets {
  readonly #options: TokenBucketOptions;
  readonly #buckets = new Map<string, Bucket>();
  #sweepAt = sweepAt;

  constructor(options: TokenBucketOptions) {
    this.#options = options;
  }

  /**
   * Takes a token of a key.
   *
   * @param now in ms; must not go back
   * @returns false when there is none
   */
  take(key: string, now: number): boolean {
    const bucket = this.#refilled(key, now);
    const isThere = bucket.tokens >= 1;
    this.#buckets.set(key, isThere ? { ...bucket, tokens: bucket.tokens - 1 } : bucket);
    if (this.#buckets.size > this.#sweepAt) this.#sweep(now);
    return isThere;
  }

  #refilled(key: string, now: number): Bucket {
    const { burst, refillMs } = this.#options;
    const known = this.#buckets.get(key);
    if (known === undefined) return { tokens: burst, at: now };
    const tokens = Math.min(burst, known.tokens + Math.max(0, now - known.at) / refillMs);
    return { tokens, at: Math.max(now, known.at) };
  }

  #sweep(now: number): void {
    for (const key of [...this.#buckets.keys()]) {
      if (this.#refilled(key, now).tokens >= this.#options.burst) this.#buckets.delete(key);
    }
    // Not again at each key more, when they are all in use.
    this.#sweepAt = Math.max(sweepAt, this.#buckets.size * 2);
  }
}
