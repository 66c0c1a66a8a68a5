import type { BundleTarget, InjectedBundles } from '../../../src/serving/bundle-target.js';
import { atOnce, type Deliver } from './memory-cert-store.js';

/** The bundles of a webhook configuration in memory, with a view of its own for each replica. */
export class MemoryBundleTarget {
  readonly name = 'ValidatingWebhookConfiguration test';
  #injected: InjectedBundles;
  readonly #views = new Set<() => void>();
  /** Thrown by the next injections, the first one first. */
  readonly failures: Error[] = [];
  injections = 0;

  constructor(injected: InjectedBundles = { kind: 'present', bundles: [''] }) {
    this.#injected = injected;
  }

  get injected(): InjectedBundles {
    return this.#injected;
  }

  /** What the first webhook trusts. */
  get bundle(): string {
    return this.#injected.kind === 'present' ? (this.#injected.bundles[0] ?? '') : '';
  }

  /** Somebody changes it. */
  put(injected: InjectedBundles): void {
    this.#injected = injected;
    for (const tell of [...this.#views]) tell();
  }

  /** @param deliver when a change is shown; nothing is known before the first delivery */
  view(deliver: Deliver = atOnce): BundleTarget {
    let shown: InjectedBundles | undefined;
    const listeners = new Set<() => void>();
    const tell = () => {
      const injected = this.#injected;
      deliver(() => {
        shown = injected;
        for (const listener of [...listeners]) listener();
      });
    };
    this.#views.add(tell);
    tell();
    return {
      name: this.name,
      absentHint: 'apply it',
      current: () => shown,
      onChange: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      inject: async (bundle) => {
        await Promise.resolve();
        const failure = this.failures.shift();
        if (failure !== undefined) throw failure;
        if (shown !== this.#injected || this.#injected.kind !== 'present') return 'conflict';
        this.injections += 1;
        this.put({ kind: 'present', bundles: this.#injected.bundles.map(() => bundle) });
        return 'injected';
      },
    };
  }
}
