import { isDeepStrictEqual } from 'node:util';
import type { Source } from '../controller/sources.js';

/**
 * A value worked out from other sources. It stays the same value, and nobody is called, while what is worked out is
 * equal: objects of a cluster change far more often than what matters of them.
 *
 * @param derive gives `undefined` while one of the inputs is not known; called again only after an input has changed
 */
export function deriveSource<T>(inputs: readonly Source<unknown>[], derive: () => T | undefined): Source<T> {
  const listeners = new Set<() => void>();
  let seen: readonly unknown[] | undefined;
  let value: T | undefined;
  let told: T | undefined;

  const current = (): T | undefined => {
    const known = inputs.map((input) => input.current());
    // Asked by who heard of an input's change before this did: what it gets must not be old.
    if (seen === undefined || known.some((each, index) => each !== seen?.[index])) {
      seen = known;
      const next = derive();
      if (!isDeepStrictEqual(next, value)) value = next;
    }
    return value;
  };

  told = current();
  for (const input of inputs) {
    input.onChange(() => {
      const now = current();
      if (now === told) return;
      told = now;
      for (const listener of [...listeners]) listener();
    });
  }
  return {
    current,
    onChange(listener) {
      const entry = () => {
        listener();
      };
      listeners.add(entry);
      return () => {
        listeners.delete(entry);
      };
    },
  };
}
