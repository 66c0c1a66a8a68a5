import { systemClock, type Clock } from '../distribution/clock.js';
import { errorOfFailure, isApiError, type ApiError } from './api-error.js';
import { callObserver } from './call-observer.js';
import { FaultNews } from './fault-news.js';
import type { KubeClient } from './kube-client.js';
import { resources, type KubeObject } from './kube-object.js';
import { claimedLease, newLease, readLease, releasedLease, type LeaseClaim } from './lease-record.js';
import { callAt, withinTime } from './time-limit.js';

/** Each in ms; each shorter than the one before it. */
export interface LeaseDurations {
  /** Others leave a Lease alone until it has not changed for this long. In whole seconds. */
  readonly leaseMs: number;
  /** Who holds it counts on it for this long after a renewal. The difference is the margin between two holders. */
  readonly renewDeadlineMs: number;
  /** How often it is renewed or looked at; up to a fifth longer, at random. */
  readonly retryMs: number;
}

export const defaultLeaseDurations: LeaseDurations = {
  leaseMs: 15_000,
  renewDeadlineMs: 10_000,
  retryMs: 2_000,
};

export interface LeaderElectorOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  readonly lease: { readonly namespace: string; readonly name: string };
  /** Who this process is; never the same for two processes, nor for one before and after a restart. */
  readonly identity: string;
  readonly onAcquired: () => void;
  /** Told before the Lease could be someone else's, with a reason for people. */
  readonly onLost: (why: string) => void;
  /** Told when the holder that was last seen changes, this process included; `undefined` when nobody holds it. */
  readonly onLeader?: ((identity: string | undefined) => void) | undefined;
  /** Told when something is wrong (once per fault, not at every retry), and `undefined` when it works again. */
  readonly onFault?: ((fault: ApiError | undefined) => void) | undefined;
  readonly durations?: Partial<LeaseDurations> | undefined;
  /** Milliseconds that only ever go forward, from any start. */
  readonly now?: (() => number) | undefined;
  /** The time that is written into the Lease. Nothing depends on it. */
  readonly wallClock?: (() => Date) | undefined;
  readonly clock?: Pick<Clock, 'after'> | undefined;
  /** A number in [0, 1) at each call; spreads retries. */
  readonly random?: (() => number) | undefined;
}

/** The Lease is given up again when somebody has changed it meanwhile, so often at most. */
const releaseTries = 3;

/** Holding the Lease, as far as this process can be sure of it. */
interface Tenure {
  /** By `now`. */
  readonly deadline: number;
  readonly cancelTimer: () => void;
}

/**
 * Elects one of several processes by a Lease (coordination.k8s.io/v1), so that never two of them hold it, whatever
 * their clocks say: a foreign Lease is free once it has not changed for its duration as seen from here, by a clock that
 * only goes forward, and an own one counts from the moment its renewal was sent.
 */
export class LeaderElector {
  readonly #options: LeaderElectorOptions;
  readonly #durations: LeaseDurations;
  readonly #now: () => number;
  readonly #wallClock: () => Date;
  readonly #clock: Pick<Clock, 'after'>;
  readonly #random: () => number;
  /** For messages. */
  readonly #name: string;

  #tenure: Tenure | undefined;
  /** The Lease as it was last written from here: the next renewal need not read it. */
  #own: KubeObject | undefined;
  /** The version of the Lease that was last seen, and since when it has not changed. */
  #seen: { readonly version: string | undefined; readonly since: number } | undefined;
  #holder: string | undefined;
  #foreignUntil = 0;
  /** A Lease made here does not count before this time: its predecessor may have been deleted while it was held. */
  #countsFrom = 0;
  /** A Lease made here whose answer has not come (yet). */
  #creating = false;
  /** The Lease may name this process as its holder. */
  #mayBeOurs = false;
  readonly #fault: FaultNews;

  /** The attempt under way; what an earlier one brings is too late. */
  #attempt: symbol | undefined;
  #underWay: Promise<void> = Promise.resolve();
  #running: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #wake: () => void = () => undefined;

  constructor(options: LeaderElectorOptions) {
    this.#options = options;
    this.#durations = { ...defaultLeaseDurations, ...options.durations };
    const { leaseMs, renewDeadlineMs, retryMs } = this.#durations;
    if (!(leaseMs > renewDeadlineMs && renewDeadlineMs > retryMs && retryMs > 0)) {
      throw new RangeError(`lease durations must fall: ${leaseMs}, ${renewDeadlineMs}, ${retryMs}`);
    }
    this.#fault = new FaultNews(options.onFault);
    this.#now = options.now ?? (() => performance.now());
    this.#wallClock = options.wallClock ?? (() => new Date());
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#name = `Lease ${options.lease.namespace}/${options.lease.name}`;
  }

  /** Begins to run for the Lease; does nothing when it has begun, or was stopped. */
  start(): void {
    if (this.#stopping !== undefined) return;
    this.#running ??= this.#run();
  }

  /**
   * True while this process surely holds the Lease. It looks at the clock at each call: a process that was frozen
   * notices before it acts.
   */
  holds(): boolean {
    return this.#tenure !== undefined && this.#now() < this.#tenure.deadline;
  }

  /** Who was last seen to hold the Lease. */
  holder(): string | undefined {
    return this.#holder;
  }

  /**
   * Gives the Lease up and stops. `onLost` is called first if it was held; whatever must not overlap with the next
   * holder has to have ended before. Takes no longer than half of the renew deadline; a Lease that could not be given
   * up in that time runs out by itself.
   */
  stop(): Promise<void> {
    if (this.#stopping === undefined) {
      this.#stopping = Promise.resolve().then(() => this.#giveUp());
      this.#attempt = undefined;
      this.#wake();
      this.#lose('mirrorgate stops');
    }
    return this.#stopping;
  }

  async #giveUp(): Promise<void> {
    if (!this.#mayBeOurs) return;
    const limit = this.#durations.renewDeadlineMs / 2;
    const release = async () => {
      // A write that is still under way would only make the release conflict.
      await withinTime(this.#clock, limit / 2, this.#name, this.#underWay).catch(() => undefined);
      await this.#release();
    };
    // What cannot be given up runs out by itself.
    await withinTime(this.#clock, limit, this.#name, release()).catch(() => undefined);
  }

  async #run(): Promise<void> {
    while (!this.#isStopped()) {
      const wait = await this.#round();
      if (this.#isStopped()) return;
      await new Promise<void>((resolve) => {
        const cancel = this.#clock.after(wait, resolve);
        this.#wake = () => {
          cancel();
          resolve();
        };
      });
    }
  }

  /** @returns how long to wait before the next round, in ms */
  async #round(): Promise<number> {
    const { renewDeadlineMs, retryMs } = this.#durations;
    const attempt = (this.#attempt = Symbol());
    const tried = this.#acquireOrRenew(attempt);
    this.#underWay = tried.catch(() => undefined);
    const what = `${this.#tenure === undefined ? 'acquire' : 'renew'} ${this.#name}`;
    let fault: ApiError | undefined;
    try {
      // Whatever hangs must leave time for another try before the deadline.
      await withinTime(this.#clock, renewDeadlineMs / 2, what, tried);
    } catch (error) {
      fault = errorOfFailure(what, error);
    }
    if (this.#isStopped()) return 0;
    this.#fault.set(fault);
    const asked = Math.min(fault?.retryAfterMs ?? 0, renewDeadlineMs / 2);
    this.#attempt = undefined;
    const usual = retryMs * (1 + 0.2 * this.#random());
    const next = [this.#foreignUntil, this.#countsFrom]
      .map((time) => time - this.#now())
      .filter((left) => left > 0);
    return Math.max(asked, Math.min(usual, ...next));
  }

  async #acquireOrRenew(attempt: symbol): Promise<void> {
    const { client, lease: key } = this.#options;
    if (this.#own !== undefined && (await this.#claim(attempt, this.#own))) return;
    if (attempt !== this.#attempt) return;

    const lease = await client.get(resources.leases, key);
    if (attempt !== this.#attempt) return;
    if (lease === undefined) {
      await this.#create(attempt);
      return;
    }
    this.#see(lease);
    if (attempt !== this.#attempt) return;
    if (this.#now() >= this.#foreignUntil) await this.#claim(attempt, lease);
  }

  /** @returns false when the Lease has changed since it was read, or is gone */
  async #claim(attempt: symbol, lease: KubeObject): Promise<boolean> {
    const sent = this.#now();
    this.#mayBeOurs = true;
    let written: KubeObject;
    try {
      written = await this.#options.client.replace(resources.leases, claimedLease(lease, this.#newClaim()));
    } catch (error) {
      if (!isApiError(error, 'conflict', 'not-found')) throw error;
      if (attempt === this.#attempt) this.#own = undefined;
      return false;
    }
    if (attempt !== this.#attempt) return true;
    this.#creating = false;
    this.#claimed(written, sent);
    return true;
  }

  async #create(attempt: symbol): Promise<void> {
    this.#seen = undefined;
    this.#foreignUntil = 0;
    this.#setHolder(undefined);
    if (attempt !== this.#attempt) return;
    const isRecreated = this.holds();
    const sent = this.#now();
    this.#mayBeOurs = true;
    this.#creating = !isRecreated;
    let made: KubeObject;
    try {
      made = await this.#options.client.create(
        resources.leases,
        newLease(this.#options.lease, this.#newClaim()),
      );
    } catch (error) {
      if (!isApiError(error, 'already-exists')) throw error;
      // Somebody else was faster: the next round sees who.
      if (attempt === this.#attempt) this.#creating = false;
      return;
    }
    if (attempt === this.#attempt) this.#claimed(made, sent);
  }

  /** Takes note of a Lease that was read or written. */
  #see(lease: KubeObject): void {
    const { holder, durationMs = this.#durations.leaseMs } = readLease(lease);
    const { resourceVersion: version } = lease.metadata;
    if (version === undefined || this.#seen?.version !== version) {
      this.#seen = { version, since: this.#now() };
    }
    const isOurs = holder === this.#options.identity;
    this.#foreignUntil = holder === undefined || isOurs ? 0 : this.#seen.since + durationMs;
    if (!isOurs) {
      this.#own = undefined;
      this.#mayBeOurs = false;
      this.#lose(`${this.#name} is ${holder === undefined ? 'free' : `held by ${holder}`} now`);
    } else if (this.#creating) {
      this.#creating = false;
      this.#countsFrom = this.#now() + this.#durations.renewDeadlineMs;
    }
    this.#setHolder(holder);
  }

  /** @param sent when the request that wrote the Lease was sent */
  #claimed(lease: KubeObject, sent: number): void {
    this.#see(lease);
    if (this.#holder !== this.#options.identity || this.#isStopped()) return;
    this.#own = lease;
    const deadline = sent + this.#durations.renewDeadlineMs;
    const now = this.#now();
    const before = this.#tenure;
    if (before !== undefined && now >= before.deadline) {
      this.#lose(this.#missedDeadline());
      return;
    }
    if (now >= deadline || now < this.#countsFrom) return;
    before?.cancelTimer();
    this.#tenure = {
      deadline,
      cancelTimer: callAt(this.#clock, this.#now, deadline, () => {
        this.#lose(this.#missedDeadline());
      }),
    };
    if (before === undefined) callObserver(this.#options.onAcquired);
  }

  #lose(why: string): void {
    if (this.#tenure === undefined) return;
    this.#tenure.cancelTimer();
    this.#tenure = undefined;
    this.#own = undefined;
    callObserver(() => {
      this.#options.onLost(why);
    });
  }

  #missedDeadline(): string {
    const seconds = this.#durations.renewDeadlineMs / 1000;
    const fault = this.#fault.current();
    const why = fault === undefined ? '' : `: ${fault.message}`;
    return `${this.#name} could not be renewed within ${seconds} s${why}`;
  }

  async #release(): Promise<void> {
    const { client, lease: key, identity } = this.#options;
    for (let tries = 0; tries < releaseTries; tries += 1) {
      const lease = await client.get(resources.leases, key);
      if (lease === undefined || readLease(lease).holder !== identity) return;
      try {
        await client.replace(resources.leases, releasedLease(lease, this.#wallClock()));
        return;
      } catch (error) {
        if (!isApiError(error, 'conflict')) throw error;
      }
    }
  }

  #newClaim(): LeaseClaim {
    return {
      identity: this.#options.identity,
      durationMs: this.#durations.leaseMs,
      at: this.#wallClock(),
    };
  }

  #setHolder(holder: string | undefined): void {
    if (holder === this.#holder) return;
    this.#holder = holder;
    if (this.#isStopped()) return;
    callObserver(() => this.#options.onLeader?.(holder));
  }

  #isStopped(): boolean {
    return this.#stopping !== undefined;
  }
}
