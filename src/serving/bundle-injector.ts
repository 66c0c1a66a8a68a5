import type { BundleTarget, InjectedBundles } from './bundle-target.js';
import { isSameBundle } from './pem-bundle.js';
import { RetryDelay } from './retry-delay.js';
import { ServingError, wordsOf } from './serving-error.js';

export interface BundleInjectorOptions {
  readonly target: BundleTarget;
  /** In ms since the epoch. */
  readonly now: () => number;
  readonly random: () => number;
  readonly onInjected: () => void;
  /** Somebody else had changed the bundle. */
  readonly onRepaired: () => void;
  /** What is wrong; `undefined` when nothing is any more. */
  readonly onFault: (fault: ServingError | undefined) => void;
}

/** How long a write may take until the target shows it, in ms. */
const echoMs = 30_000;
/** The same for somebody else's write that was first. */
const conflictMs = 5_000;
/** A repair that has lasted for this long, in ms, ends a quarrel. */
const peaceMs = 120_000;
const quarrel = 4;

/** Keeps the bundle that clients trust at what it should be. One call at a time. */
export class BundleInjector {
  readonly #options: BundleInjectorOptions;
  readonly #retry: RetryDelay;
  /** Two that will not agree must not keep the API server busy. */
  readonly #repairs: RetryDelay;
  #lastRepair = -Infinity;
  /** What every webhook was seen to have. */
  #agreed: string | undefined;
  #written: { readonly over: InjectedBundles; readonly bundle: string; readonly until: number } | undefined;

  constructor(options: BundleInjectorOptions) {
    this.#options = options;
    this.#retry = new RetryDelay({ random: options.random });
    this.#repairs = new RetryDelay({ random: options.random, longest: 8_000 });
  }

  /**
   * Writes the bundle where it is missing. Never rejects.
   *
   * @returns when to call again although nothing has changed, in ms since the epoch
   */
  async keep(bundle: string): Promise<number> {
    const { target, onFault } = this.#options;
    const injected = target.current();
    switch (injected?.kind) {
      case undefined:
        return Infinity;
      case 'absent':
        this.#agreed = undefined;
        onFault(
          new ServingError(
            'CA_BUNDLE_ABSENT',
            `${target.name} does not exist: no review comes`,
            target.absentHint,
          ),
        );
        return Infinity;
      case 'managed-elsewhere':
        this.#agreed = undefined;
        onFault(
          new ServingError(
            'CA_BUNDLE_MANAGED',
            `the caBundle of ${target.name} is left alone: ${injected.by}`,
            'serve the certificate that comes with it (--tls-cert, --tls-key), or remove that annotation',
          ),
        );
        return Infinity;
      case 'present':
        return this.#write(bundle, injected);
    }
  }

  async #write(
    bundle: string,
    injected: Extract<InjectedBundles, { readonly kind: 'present' }>,
  ): Promise<number> {
    const { target, onFault, onInjected, onRepaired } = this.#options;
    const now = this.#options.now();
    if (injected.bundles.every((one) => isSameBundle(one, bundle))) {
      this.#agreed = bundle;
      this.#written = undefined;
      if (now >= this.#lastRepair + peaceMs) {
        this.#repairs.succeeded();
        onFault(undefined);
        return Infinity;
      }
      // A quarrel is told until it has ended; any other fault is over.
      if (this.#repairs.failures < quarrel) onFault(undefined);
      return this.#lastRepair + peaceMs;
    }
    if (this.#written?.over === injected && this.#written.bundle === bundle && now < this.#written.until)
      return this.#written.until;

    const isRepair = this.#agreed === bundle;
    const notBefore = Math.max(this.#retry.until, isRepair ? this.#repairs.until : 0);
    if (now < notBefore) return notBefore;
    try {
      const result = await target.inject(bundle);
      this.#retry.succeeded();
      const until = this.#options.now() + (result === 'injected' ? echoMs : conflictMs);
      this.#written = { over: injected, bundle, until };
      if (result === 'conflict') return until;
      if (isRepair) {
        onRepaired();
        this.#countRepair();
      } else onInjected();
      return until;
    } catch (error) {
      this.#retry.failed(this.#options.now());
      const { message, hint } = wordsOf(error);
      onFault(
        new ServingError(
          'CA_BUNDLE_UNWRITABLE',
          `the caBundle of ${target.name} cannot be written: ${message}`,
          hint ?? 'look at the cause',
          { cause: error },
        ),
      );
      return this.#retry.until;
    }
  }

  #countRepair(): void {
    const { target, now, onFault } = this.#options;
    this.#lastRepair = now();
    this.#repairs.failed(now());
    if (this.#repairs.failures < quarrel) return;
    onFault(
      new ServingError(
        'CA_BUNDLE_CONTESTED',
        `somebody keeps changing the caBundle of ${target.name}`,
        'have the tool that applies the manifests leave out webhooks[*].clientConfig.caBundle',
      ),
    );
  }
}
