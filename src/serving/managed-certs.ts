import { X509Certificate } from 'node:crypto';
import { BundleInjector } from './bundle-injector.js';
import type { BundleTarget } from './bundle-target.js';
import { BundleTrust } from './bundle-trust.js';
import {
  nextMove,
  servableAt,
  type CertMove,
  type Circumstances,
  type Situation,
  type StoredState,
} from './cert-move.js';
import { carryOut, firstState, livesFault, type RenewalRules } from './cert-renewal.js';
import { bundleOf, defaultCertLives, lifeOf, type CertLives, type CertState } from './cert-state.js';
import type { CertStore } from './cert-store.js';
import { FaultTeller } from './fault-teller.js';
import type { CheckResult } from './health.js';
import { expiryOf } from './key-pair.js';
import type { LoadedCerts } from './load-certs.js';
import { Rounds, type RoundClock } from './rounds.js';
import { requireHosts } from './self-signed.js';
import { ServedPair } from './served-pair.js';
import { ServingError } from './serving-error.js';
import { SharedState, type SharedView } from './shared-state.js';

/** `next-authority`: made known to clients, and signs nothing yet. */
export type RenewedPart = 'next-authority' | 'authority' | 'certificate';

/** What is worth telling people. */
export interface ManagedCertsObserver {
  /** This replica has renewed something for all of them. */
  readonly onRenewed: (what: RenewedPart, expires: Date) => void;
  /** This replica has put back, or made anew, what somebody removed or spoilt; the reason names it. */
  readonly onRestored: (store: string, reason: string) => void;
  readonly onInjected: (target: string) => void;
  /** Somebody had changed the bundle, and it is as it was. */
  readonly onRepaired: (target: string) => void;
  /** Once per fault, not at every retry. */
  readonly onFault: (fault: ServingError) => void;
}

export interface ManagedCertsOptions {
  readonly store: CertStore;
  readonly target: BundleTarget;
  readonly clock: RoundClock;
  /** A number in [0, 1) at each call: spreads retries. */
  readonly random: () => number;
  /** Whether this replica renews and injects for all of them. Call `check` when it changes. */
  readonly isLeader: () => boolean;
  /** What the certificate is for: the DNS names of the Service. */
  readonly hosts: readonly string[];
  /** Of what is made from now on. Default 5 years and 90 days. */
  readonly lives?: CertLives;
  /** How long clients may take to learn of a new bundle, in ms. Default one minute. */
  readonly propagationMs?: number;
  readonly observer: ManagedCertsObserver;
}

/** A move that writes to the store. */
type Writing = Exclude<CertMove, { readonly kind: 'wait' | 'follow' }>;
type Topic = 'store' | 'target' | 'expiry' | 'apply' | 'self';

/** In ms. */
const waitAfterFault = 60_000;
/** More in a row than any course of events takes. */
const mostMoves = 10;

/**
 * The certificates of one replica of many that share them in a store: serves what the store holds, and, while it leads,
 * renews them in time and has clients trust them. A leaf of a new authority is never served before clients have been
 * told of that authority for `propagationMs`, and an old authority stays in the bundle while a leaf of it may be served.
 */
export class ManagedCerts {
  readonly #options: ManagedCertsOptions;
  readonly #rules: RenewalRules;
  readonly #shared: SharedState;
  readonly #injector: BundleInjector;
  readonly #trust = new BundleTrust();
  readonly #served: ServedPair;
  readonly #faults: FaultTeller<Topic>;
  readonly #rounds: Rounds;
  readonly #unsubscribe: (() => void)[] = [];

  #held: CertState | undefined;
  /** The authority behind what is served. */
  #servedCa: string | undefined;

  #started = false;

  /**
   * @throws ServingError `HOST_INVALID`
   * @throws RangeError when the lives leave no time to turn over
   */
  constructor(options: ManagedCertsOptions) {
    const { store, target, clock, random, hosts, observer } = options;
    const { lives = defaultCertLives, propagationMs = 60_000 } = options;
    requireHosts(hosts);
    const fault = livesFault({ lives, propagationMs });
    if (fault !== undefined) throw new RangeError(fault);
    this.#options = options;
    this.#rules = { hosts, lives, propagationMs };
    const now = () => clock.now();
    this.#rounds = new Rounds(clock, () => this.#lookAround());
    this.#faults = new FaultTeller((what) => {
      if (!this.#rounds.stopped) observer.onFault(what);
    });
    const told = (topic: Topic) => (what: ServingError | undefined) => {
      this.#faults.tell(topic, what);
    };
    this.#shared = new SharedState({ store, now, random, onFault: told('store') });
    this.#served = new ServedPair(told('apply'));
    this.#injector = new BundleInjector({
      target,
      now,
      random,
      onInjected: () => {
        observer.onInjected(target.name);
      },
      onRepaired: () => {
        observer.onRepaired(target.name);
      },
      onFault: told('target'),
    });
  }

  /** Begins; what is there to serve comes through `firstPair` and `onPair`. */
  start(): void {
    if (this.#started || this.#rounds.stopped) return;
    this.#started = true;
    const { store, target, clock } = this.#options;
    const look = () => void this.check();
    this.#unsubscribe.push(
      store.onChange(look),
      target.onChange(() => {
        // At once: what is changed and changed back during a round was gone all the same.
        this.#trust.observe(target.current(), clock.now());
        look();
      }),
    );
    look();
  }

  /** Ends what is under way. Nobody is called any more. */
  async stop(): Promise<void> {
    const stopped = this.#rounds.stop();
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#served.close();
    await stopped;
  }

  /** Looks at everything now; resolves when what can be done at the moment is done. Never rejects. */
  check(): Promise<void> {
    return this.#rounds.request();
  }

  /** What is served now; `undefined` before the first. */
  current(): LoadedCerts | undefined {
    return this.#served.current();
  }

  /** When what is served ends. */
  expires(): Date | undefined {
    return this.#served.current()?.expires;
  }

  /** Resolves when there is something to serve. Rejects when it is stopped before, or with the signal's reason. */
  firstPair(signal?: AbortSignal): Promise<LoadedCerts> {
    return this.#served.first(signal);
  }

  /** Calls back at once with what is served, if anything is, and with everything that is served later. */
  onPair(listener: (pair: LoadedCerts) => void): () => void {
    return this.#served.onChange(listener);
  }

  /** For readiness: whether clients can be expected to accept what is served, and otherwise why not. */
  readiness(): CheckResult {
    const { store, target, clock } = this.#options;
    const served = this.#served.current();
    if (served === undefined || this.#servedCa === undefined)
      return { ok: false, detail: `waiting for certificates in ${store.name}` };
    const day = dayOf(served.expires);
    if (served.expires.getTime() <= clock.now())
      return { ok: false, detail: `the certificate expired on ${day}` };
    if (target.current()?.kind === 'present' && this.#trust.since(this.#servedCa) === undefined)
      return { ok: false, detail: `the caBundle of ${target.name} does not hold the authority yet` };
    return { ok: true, detail: `valid until ${day}` };
  }

  /** @returns when to look again although nothing has changed, in ms since the epoch */
  async #lookAround(): Promise<number> {
    const { clock, isLeader, target } = this.#options;
    try {
      this.#trust.observe(target.current(), clock.now());
      const settled = await this.#settle();
      const next = Math.min(settled, this.#serve(), this.#shared.lookAgainAt);
      this.#faults.tell('self', undefined);
      if (this.#held === undefined || !isLeader() || this.#rounds.stopped) return next;
      return Math.min(next, await this.#injector.keep(bundleOf(this.#held)));
    } catch (error) {
      this.#faults.tell(
        'self',
        new ServingError(
          'SERVER_FAULT',
          'looking after the certificates failed',
          'look at the cause; it is tried again',
          { cause: error },
        ),
      );
      return clock.now() + waitAfterFault;
    }
  }

  /**
   * Makes moves until there is nothing to do at present.
   *
   * @returns when to look again although nothing has changed, in ms since the epoch
   */
  async #settle(): Promise<number> {
    const { clock } = this.#options;
    for (let moves = 0; moves < mostMoves && !this.#rounds.stopped; moves += 1) {
      const view = this.#shared.look();
      const situation = { ...this.#circumstances(), held: this.#held, stored: view.state };
      const move = nextMove(situation);
      switch (move.kind) {
        case 'wait':
          this.#tellStored(view.state);
          return move.until;
        case 'follow':
          this.#hold(move.state);
          break;
        default: {
          const mayWrite = clock.now() >= this.#shared.writableAt;
          if (!mayWrite || !(await this.#make(move, situation, view)))
            return Math.max(this.#shared.writableAt, clock.now());
        }
      }
    }
    return clock.now() + waitAfterFault;
  }

  /** @returns whether it was done */
  async #make(move: Writing, { now, isLeader }: Situation, view: SharedView): Promise<boolean> {
    const state = await this.#stateAfter(move, now);
    if (this.#rounds.stopped || (isLeader && !this.#options.isLeader())) return false;
    if (!(await this.#shared.save(state, view))) return false;
    this.#hold(state);
    this.#report(move, state);
    return true;
  }

  #stateAfter(move: Writing, now: number): CertState | Promise<CertState> {
    switch (move.kind) {
      case 'create':
        return firstState(now, this.#rules, move.known);
      case 'restore':
        return move.state;
      case 'renew':
        return carryOut(move.step, move.state, now, this.#rules);
    }
  }

  #report(move: Writing, state: CertState): void {
    const { store, observer } = this.#options;
    const renewed = (what: RenewedPart, cert: string) => {
      observer.onRenewed(what, new Date(lifeOf(cert).end));
    };
    switch (move.kind) {
      case 'create':
        if (move.reason !== undefined) observer.onRestored(store.name, move.reason);
        renewed('authority', state.ca.cert);
        break;
      case 'restore':
        observer.onRestored(store.name, move.reason);
        break;
      case 'renew': {
        const { kind } = move.step;
        if (kind === 'renew-leaf') renewed('certificate', state.leaf.cert);
        if (kind === 'promote-ca' || kind === 'replace-ca') renewed('authority', state.ca.cert);
        if (kind === 'prepare-ca' && state.next !== undefined) renewed('next-authority', state.next.cert);
      }
    }
  }

  #hold(state: CertState): void {
    const { store, clock } = this.#options;
    this.#held = state;
    this.#serve();
    const { end } = lifeOf(state.leaf.cert);
    const fault =
      clock.now() < end
        ? undefined
        : new ServingError(
            'CERT_EXPIRED',
            `the certificate in ${store.name} expired on ${dayOf(new Date(end))}`,
            'the leading replica renews it at once; check that one is elected',
          );
    this.#faults.tell('expiry', fault);
  }

  /** @returns when what is held, and not served, may be served, in ms since the epoch */
  #serve(): number {
    const held = this.#held;
    const served = this.#served.current();
    if (held === undefined || served?.cert === held.leaf.cert || this.#rounds.stopped) return Infinity;
    const circumstances = this.#circumstances();
    const before =
      served === undefined || this.#servedCa === undefined
        ? undefined
        : { cert: served.cert, ca: this.#servedCa };
    const at = servableAt(held, before, circumstances);
    if (circumstances.now < at) return at;
    this.#servedCa = held.ca.cert;
    this.#served.serve(held.leaf, expiryOf(new X509Certificate(held.leaf.cert)));
    return Infinity;
  }

  #circumstances(): Circumstances {
    const { target, clock, isLeader } = this.#options;
    return {
      isLeader: isLeader(),
      injected: target.current(),
      trustedSince: (cert) => this.#trust.since(cert),
      now: clock.now(),
      rules: this.#rules,
    };
  }

  #tellStored(stored: StoredState): void {
    if (stored.kind === 'sound') this.#faults.tell('store', undefined);
    if (stored.kind !== 'unusable') return;
    this.#faults.tell(
      'store',
      new ServingError(
        'CERT_STORE_UNUSABLE',
        `${this.#options.store.name} cannot be used: ${stored.reason}`,
        'the leading replica writes it anew; check that one is elected',
      ),
    );
  }
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}
