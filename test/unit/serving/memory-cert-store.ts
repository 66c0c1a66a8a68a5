import type { CertStore, SaveResult, StoredCerts } from '../../../src/serving/cert-store.js';

/** Calls back what is to happen some time later, or at once. */
export type Deliver = (callback: () => void) => void;

export const atOnce: Deliver = (callback) => {
  callback();
};

/** A store of certificates in memory, with a view of its own for each replica, as a watch gives it. */
export class MemoryCertStore {
  readonly name = 'Secret test/tls';
  #content: StoredCerts | null = null;
  #version = 0;
  readonly #views = new Set<() => void>();
  /** Thrown by the next saves, the first one first. */
  readonly failures: Error[] = [];
  saves = 0;
  conflicts = 0;

  get content(): StoredCerts | null {
    return this.#content;
  }

  /** Somebody writes, or deletes, whatever is there. */
  put(data: Readonly<Record<string, string>> | null): void {
    this.#version += 1;
    this.#content = data === null ? null : { data, version: String(this.#version) };
    for (const tell of [...this.#views]) tell();
  }

  /** @param deliver when a change is shown; nothing is known before the first delivery */
  view(deliver: Deliver = atOnce): CertStore {
    let shown: StoredCerts | null | undefined;
    const listeners = new Set<() => void>();
    const tell = () => {
      const content = this.#content;
      deliver(() => {
        shown = content;
        for (const listener of [...listeners]) listener();
      });
    };
    this.#views.add(tell);
    tell();
    return {
      name: this.name,
      current: () => shown,
      onChange: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      save: (data, version) => this.#save(data, version),
    };
  }

  async #save(data: Readonly<Record<string, string>>, version: string | undefined): Promise<SaveResult> {
    await Promise.resolve();
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    if (this.#content?.version !== version) {
      this.conflicts += 1;
      return { kind: 'conflict' };
    }
    this.saves += 1;
    this.put(data);
    return { kind: 'saved', version: String(this.#version) };
  }
}
