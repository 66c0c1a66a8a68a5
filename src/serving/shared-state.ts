import { certDataOf, parseCertData } from './cert-data.js';
import type { StoredState } from './cert-move.js';
import type { CertState } from './cert-state.js';
import type { CertStore } from './cert-store.js';
import { RetryDelay } from './retry-delay.js';
import { ServingError, wordsOf } from './serving-error.js';

export interface SharedStateOptions {
  readonly store: CertStore;
  /** In ms since the epoch. */
  readonly now: () => number;
  readonly random: () => number;
  /** What is wrong; `undefined` when nothing is any more. */
  readonly onFault: (fault: ServingError | undefined) => void;
}

/** What a replica knew of the store when it looked: a write is only valid over that. */
export interface SharedView {
  readonly state: StoredState;
  /** What the store showed; `undefined` when nothing was there. */
  readonly shown: string | undefined;
  /** What was there as far as known, for the same. */
  readonly version: string | undefined;
}

/** How long an own write may take to come back from the store, in ms. */
const echoMs = 30_000;
/** The same for the write of somebody who was first. */
const conflictMs = 5_000;
const tooManyConflicts = 5;

/**
 * The store as one replica sees it. What the store shows is older than what was last written to it, by this replica or
 * by one that was first, until it has told of that.
 */
export class SharedState {
  readonly #options: SharedStateOptions;
  readonly #retry: RetryDelay;
  #parsed: { readonly version: string; readonly state: StoredState } | undefined;
  /** Own writes that the store may not show yet: the versions they replaced, and what was written last. */
  #saved:
    | {
        readonly over: ReadonlySet<string | undefined>;
        readonly version: string;
        readonly state: CertState;
        readonly until: number;
      }
    | undefined;
  /** Somebody else has replaced this version. */
  #beaten: { readonly version: string | undefined; readonly until: number } | undefined;
  #conflicts = 0;

  constructor(options: SharedStateOptions) {
    this.#options = options;
    this.#retry = new RetryDelay({ random: options.random });
  }

  look(): SharedView {
    const stored = this.#options.store.current();
    const shown = stored?.version;
    if (stored === undefined) return { state: { kind: 'unknown' }, shown, version: shown };
    const awaited = this.#awaited(shown);
    if (awaited !== undefined)
      return { state: { kind: 'sound', state: awaited.state }, shown, version: awaited.version };
    if (stored === null) return { state: { kind: 'empty' }, shown, version: shown };
    if (this.#parsed?.version !== stored.version)
      this.#parsed = { version: stored.version, state: parseCertData(stored.data) };
    return { state: this.#parsed.state, shown, version: shown };
  }

  /** A write has a chance from then on, in ms since the epoch. */
  get writableAt(): number {
    const shown = this.#options.store.current()?.version;
    const beaten = this.#beaten?.version === shown ? this.#beaten : undefined;
    return Math.max(this.#retry.until, beaten?.until ?? 0);
  }

  /** When to look again although the store tells of no change, in ms since the epoch. */
  get lookAgainAt(): number {
    return this.#saved?.until ?? Infinity;
  }

  /**
   * Writes over what was there at a look. A failure is told, and not an error.
   *
   * @returns whether it was written
   */
  async save(state: CertState, { shown, version }: SharedView): Promise<boolean> {
    const { store, now, onFault } = this.#options;
    try {
      const result = await store.save(certDataOf(state), version);
      if (result.kind === 'conflict') {
        this.#beaten = { version: shown, until: now() + conflictMs };
        this.#countConflict();
        return false;
      }
      const over = new Set(this.#saved?.over).add(shown).add(version);
      this.#saved = { over, version: result.version, state, until: now() + echoMs };
      this.#beaten = undefined;
      this.#conflicts = 0;
      this.#retry.succeeded();
      onFault(undefined);
      return true;
    } catch (error) {
      this.#retry.failed(now());
      const { message, hint } = wordsOf(error);
      onFault(
        new ServingError(
          'CERT_STORE_UNWRITABLE',
          `${store.name} cannot be written: ${message}`,
          hint ?? 'look at the cause',
          { cause: error },
        ),
      );
      return false;
    }
  }

  /** The own write that the store does not show yet. */
  #awaited(shown: string | undefined) {
    const saved = this.#saved;
    if (saved?.over.has(shown) === true && this.#options.now() < saved.until) return saved;
    this.#saved = undefined;
    return undefined;
  }

  #countConflict(): void {
    this.#conflicts += 1;
    if (this.#conflicts < tooManyConflicts) return;
    const { store, onFault } = this.#options;
    onFault(
      new ServingError(
        'CERT_STORE_UNWRITABLE',
        `${store.name} is changed by somebody else at every attempt to write it`,
        'its metadata.managedFields (kubectl get -o yaml --show-managed-fields) name who does',
      ),
    );
  }
}
