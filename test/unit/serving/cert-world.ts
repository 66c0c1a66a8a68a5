import { onTestFinished } from 'vitest';
import type { CertLives } from '../../../src/serving/cert-state.js';
import { ManagedCerts, type RenewedPart } from '../../../src/serving/managed-certs.js';
import { readBundle } from '../../../src/serving/pem-bundle.js';
import type { ServingError } from '../../../src/serving/serving-error.js';
import { ManualClock } from './manual-clock.js';
import { MemoryBundleTarget } from './memory-bundle-target.js';
import { atOnce, MemoryCertStore, type Deliver } from './memory-cert-store.js';
import { refusal } from './verify-leaf.js';

export const host = 'gate.test.svc';
const second = 1000;
const minute = 60 * second;

/** Short, so that whole generations pass in a test. */
export const lives: CertLives = { ca: 120 * minute, leaf: 30 * minute };
export const propagationMs = minute;

/** Everything that a replica has told of. */
export interface Told {
  readonly renewed: RenewedPart[];
  readonly restored: string[];
  readonly injected: string[];
  readonly repaired: string[];
  readonly faults: ServingError[];
}

export interface Replica {
  readonly certs: ManagedCerts;
  readonly told: Told;
  /** Every certificate that it has served, in order. */
  readonly served: string[];
}

export interface ReplicaOptions {
  /** How long a change of the store or the bundle takes to get to it, in ms. */
  readonly lagMs?: number;
  readonly hosts?: readonly string[];
  readonly lives?: CertLives;
  /** Whether it believes that it leads, when that is not whether it does. */
  readonly isLeader?: () => boolean;
}

/** Replicas that share certificates in memory, the clients that trust a bundle, and the time of all. */
export class CertWorld {
  readonly clock = new ManualClock(new Date('2031-05-06T07:08:09Z'));
  readonly store = new MemoryCertStore();
  readonly replicas = new Map<string, Replica>();
  /** What a client would have refused, at any moment that was looked at. */
  readonly refusals: string[] = [];
  /** Every authority that clients were ever told to trust. */
  readonly authorities = new Set<string>();
  leader: string | undefined;
  /** Bundles that clients cannot be content with. */
  readonly #spoilt = new Set<string>();
  readonly #history: { readonly bundle: string; until: number }[] = [];

  constructor(readonly target = new MemoryBundleTarget()) {}

  /** Starts a replica. */
  start(name: string, { lagMs = 0, hosts = [host], ...options }: ReplicaOptions = {}): Replica {
    const deliver: Deliver = lagMs === 0 ? atOnce : (callback) => void this.clock.after(lagMs, callback);
    const told: Told = { renewed: [], restored: [], injected: [], repaired: [], faults: [] };
    const certs = new ManagedCerts({
      store: this.store.view(deliver),
      target: this.target.view(deliver),
      clock: this.clock,
      random: () => 0,
      isLeader: () => this.leader === name,
      hosts,
      lives,
      propagationMs,
      observer: {
        onRenewed: (what) => told.renewed.push(what),
        onRestored: (store, reason) => told.restored.push(`${store}: ${reason}`),
        onInjected: (target) => told.injected.push(target),
        onRepaired: (target) => told.repaired.push(target),
        onFault: (fault) => told.faults.push(fault),
      },
      ...options,
    });
    const served: string[] = [];
    certs.onPair(({ cert }) => served.push(cert));
    certs.start();
    onTestFinished(() => certs.stop());
    const replica = { certs, told, served };
    this.replicas.set(name, replica);
    return replica;
  }

  /** Somebody gives clients another bundle. */
  spoilBundle(bundle: string): void {
    this.#spoilt.add(bundle);
    this.target.put({ kind: 'present', bundles: [bundle] });
  }

  /** As a process that is killed: it does nothing any more. */
  async kill(name: string): Promise<void> {
    await this.replicas.get(name)?.certs.stop();
    this.replicas.delete(name);
    if (this.leader === name) this.leader = undefined;
  }

  async elect(name: string): Promise<void> {
    this.leader = name;
    await this.settle();
  }

  /** Resolves when no replica has anything to do at this moment. */
  async settle(): Promise<void> {
    let writes: number;
    let rounds = 0;
    do {
      writes = this.#writes();
      if ((rounds += 1) > 50) throw new Error('the replicas do not come to rest');
      await Promise.all([...this.replicas.values()].map(({ certs }) => certs.check()));
    } while (writes !== this.#writes());
    this.#look();
  }

  /** Lets time pass, and every timer fire at its moment. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.clock.now() + milliseconds;
    await this.settle();
    while (this.clock.nextTimer <= end) {
      this.clock.goTo(this.clock.nextTimer);
      await this.settle();
    }
    this.clock.goTo(end);
    await this.settle();
  }

  /** Goes from timer to timer until something is the case. */
  async passUntil(isCase: () => boolean): Promise<void> {
    const end = this.clock.now() + 2 * lives.ca;
    while (!isCase()) {
      if (this.clock.nextTimer > end) throw new Error('it was never the case');
      this.clock.goTo(this.clock.nextTimer);
      await this.settle();
    }
  }

  #writes(): number {
    return this.store.saves + this.target.injections;
  }

  /** Asks every replica as each client would that knows the bundle of now, or still one that has been replaced. */
  #look(): void {
    const now = this.clock.now();
    const { bundle } = this.target;
    const last = this.#history.at(-1);
    if (last?.bundle !== bundle) {
      if (last !== undefined) last.until = now + propagationMs - second;
      this.#history.push({ bundle, until: Infinity });
      for (const cert of readBundle(bundle).certs) this.authorities.add(cert);
    }
    for (const { bundle: known, until } of this.#history) {
      if (now > until || this.#spoilt.has(known)) continue;
      for (const [name, { certs }] of this.replicas) {
        const cert = certs.current()?.cert;
        const why = cert === undefined ? 'nothing served' : refusal(cert, known, now, host);
        if (why !== undefined) this.refusals.push(`${new Date(now).toISOString()} ${name}: ${why}`);
      }
    }
  }
}
