import type { KeyPair } from './key-pair.js';
import type { LoadedCerts } from './load-certs.js';
import { ServingError } from './serving-error.js';

/** The pair that is being served, for those who wait for the first one and those who follow. */
export class ServedPair {
  readonly #onFault: (fault: ServingError | undefined) => void;
  readonly #listeners = new Set<(pair: LoadedCerts) => void>();
  readonly #waiting = new Set<() => void>();
  #current: LoadedCerts | undefined;
  #closed = false;

  /** @param onFault told when a listener does not take a pair, and `undefined` when it does again */
  constructor(onFault: (fault: ServingError | undefined) => void) {
    this.#onFault = onFault;
  }

  current(): LoadedCerts | undefined {
    return this.#current;
  }

  /** Resolves when there is one. Rejects when it is closed before, or with the signal's reason. */
  first(signal?: AbortSignal): Promise<LoadedCerts> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        if (this.#current !== undefined) resolve(this.#current);
        else if (signal?.aborted === true) reject(signal.reason as Error);
        else if (this.#closed) reject(new Error('stopped before there was a certificate to serve'));
        else return;
        this.#waiting.delete(settle);
        signal?.removeEventListener('abort', settle);
      };
      this.#waiting.add(settle);
      signal?.addEventListener('abort', settle);
      settle();
    });
  }

  /** Calls back at once with what is served, if anything is, and with everything that is served later. */
  onChange(listener: (pair: LoadedCerts) => void): () => void {
    const entry = (pair: LoadedCerts) => {
      listener(pair);
    };
    this.#listeners.add(entry);
    if (this.#current !== undefined) this.#apply([entry], this.#current);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  serve({ cert, key }: KeyPair, expires: Date): void {
    if (this.#closed) return;
    const pair = { cert, key, expires };
    this.#current = pair;
    for (const settle of [...this.#waiting]) settle();
    this.#apply([...this.#listeners], pair);
  }

  /** Nobody is called any more. */
  close(): void {
    this.#closed = true;
    for (const settle of [...this.#waiting]) settle();
    this.#listeners.clear();
  }

  #apply(listeners: readonly ((pair: LoadedCerts) => void)[], pair: LoadedCerts): void {
    let fault: ServingError | undefined;
    for (const listener of listeners) {
      try {
        listener(pair);
      } catch (error) {
        fault = new ServingError(
          'CERT_BROKEN',
          'the new certificate could not be put to use',
          'the one in use stays; look at the cause',
          { cause: error },
        );
      }
    }
    this.#onFault(fault);
  }
}
