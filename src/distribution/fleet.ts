import { randomBytes } from 'node:crypto';
import PQueue from 'p-queue';
import type { DesiredState } from '../hosts/desired-state.js';
import { backoffDelay, defaultBackoff, type BackoffOptions } from './backoff.js';
import { systemClock, type Clock } from './clock.js';
import type { FleetEvent } from './fleet-event.js';
import { NodeError } from './node-error.js';
import { cancelRetry, interrupt, newMember, statusOf, type Member, type Run } from './fleet-member.js';
import type { NodeFault, NodeStatus, RolloutOutcome } from './node-status.js';
import type { OpenNode } from './open-node.js';
import { syncNode, type SyncResult } from './sync-node.js';
import { sameConnection, type TargetNode } from './target-node.js';

export interface FleetOptions {
  readonly open: OpenNode;
  /** How many nodes are synced at the same time; 10 unless told otherwise. */
  readonly concurrency?: number | undefined;
  readonly backoff?: BackoffOptions | undefined;
  readonly clock?: Clock | undefined;
  /** A number in [0, 1) at each call; spreads retries. */
  readonly random?: (() => number) | undefined;
  readonly randomSuffix?: (() => string) | undefined;
  /** Told of everything that happens, after the status has changed. */
  readonly observe?: ((event: FleetEvent) => void) | undefined;
}

export interface StopOptions {
  /** How long sessions may take to finish the file they are at, in milliseconds, before they are cut off. */
  readonly grace?: number | undefined;
}

const defaultConcurrency = 10;
const defaultGrace = 10_000;

/**
 * Keeps the nodes of a fleet in the desired state. Each node goes its own way: one that fails waits longer and longer
 * and is tried for ever, and holds up nobody. A newer desired state is taken at the next node boundary: nodes in
 * flight finish what they have begun and then go again.
 */
export class Fleet {
  readonly #open: OpenNode;
  readonly #queue: PQueue;
  readonly #backoff: BackoffOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #randomSuffix: () => string;
  readonly #observe: (event: FleetEvent) => void;
  readonly #members = new Map<string, Member>();
  readonly #waiting: ((outcome: RolloutOutcome) => void)[] = [];
  #desired: DesiredState | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: FleetOptions) {
    this.#open = options.open;
    this.#queue = new PQueue({ concurrency: options.concurrency ?? defaultConcurrency });
    this.#backoff = options.backoff ?? defaultBackoff;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#randomSuffix = options.randomSuffix ?? (() => randomBytes(8).toString('hex'));
    this.#observe = options.observe ?? (() => undefined);
  }

  /** Sets what every node must hold. Nodes that wait for a retry go on waiting, and then take the newest. */
  setDesired(desired: DesiredState): void {
    const same = this.#desired?.revision === desired.revision;
    this.#desired = desired;
    if (same) return;
    for (const member of this.#members.values()) {
      if (member.retry === undefined) this.#schedule(member);
    }
    this.#settleWaiting();
  }

  /** Sets the nodes: new ones are synced, absent ones forgotten, those reached in another way tried at once. */
  setNodes(nodes: readonly TargetNode[]): void {
    const byName = new Map(nodes.map((node) => [node.name, node]));
    if (byName.size < nodes.length) throw new Error('two nodes of a fleet have the same name');
    for (const [name, member] of this.#members) {
      if (!byName.has(name)) this.#forget(member);
    }
    for (const node of nodes) {
      const member = this.#members.get(node.name);
      if (member === undefined) {
        const added = newMember(node);
        this.#members.set(node.name, added);
        this.#schedule(added);
      } else {
        this.#update(member, node);
      }
    }
    this.#settleWaiting();
  }

  status(): NodeStatus[] {
    return [...this.#members.values()]
      .filter(({ forgotten }) => !forgotten)
      .map((member) => statusOf(member, this.#desired?.revision))
      .sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  /**
   * Resolves when every node has been tried at the present revision, or waits for its next try. Also when the fleet
   * is stopped; nodes may then be `pending`.
   */
  whenSettled(): Promise<RolloutOutcome> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#settleWaiting();
    });
  }

  /**
   * Reads a node again at once, or all of them: in sync or not, and without waiting for the next try.
   *
   * @returns false when there is no node of that name
   */
  syncNow(name?: string): boolean {
    const members = [...this.#members.values()].filter(
      ({ forgotten, node }) => !forgotten && (name === undefined || node.name === name),
    );
    for (const member of members) this.#schedule(member);
    return name === undefined || members.length > 0;
  }

  /** Starts nothing more, lets sessions finish the file they are at, and resolves when the last one has ended. */
  stop(options: StopOptions = {}): Promise<void> {
    this.#stopped ??= this.#windDown(options.grace ?? defaultGrace);
    return this.#stopped;
  }

  async #windDown(grace: number): Promise<void> {
    const members = [...this.#members.values()];
    for (const member of members) {
      cancelRetry(member);
      interrupt(member.run);
    }
    const cancel = this.#clock.after(grace, () => {
      for (const { run } of members) run?.session.abort(new Error('the grace period is over'));
    });
    await this.#queue.onIdle();
    cancel();
    this.#settleWaiting();
  }

  #schedule(member: Member): void {
    if (!this.#mayStart(member)) return;
    cancelRetry(member);
    member.due = true;
    if (member.queued || member.run !== undefined) return;
    member.queued = true;
    void this.#queue.add(() => this.#run(member));
  }

  #mayStart(member: Member): boolean {
    return this.#stopped === undefined && this.#desired !== undefined && !member.forgotten;
  }

  #forget(member: Member): void {
    member.forgotten = true;
    cancelRetry(member);
    interrupt(member.run);
    if (member.run === undefined) this.#members.delete(member.node.name);
  }

  #update(member: Member, node: TargetNode): void {
    const known = member.node;
    const back = member.forgotten;
    member.node = node;
    member.forgotten = false;
    if (sameConnection(known, node) && !back) return;
    // It may be another machine by now.
    member.held = undefined;
    member.mixed = false;
    member.attempts = 0;
    member.lastError = undefined;
    interrupt(member.run);
    this.#schedule(member);
  }

  /** One try of one node, from the connection to its place in the status. */
  async #run(member: Member): Promise<void> {
    const desired = this.#mayStart(member) ? this.#desired : undefined;
    member.queued = false;
    if (desired === undefined) return;
    member.due = false;
    const run: Run = { connecting: true, files: new AbortController(), session: new AbortController() };
    member.run = run;
    const { node } = member;
    const onBegin = () => {
      member.mixed ||= member.held !== undefined && member.held !== desired.revision;
    };
    const started = this.#clock.now();
    this.#emit({ type: 'syncing', node: node.name, revision: desired.revision });

    const outcome = await this.#attempt(node, desired, run, onBegin);
    member.run = undefined;
    if (member.forgotten) this.#members.delete(node.name);
    else if (outcome.ok) this.#succeeded(member, desired.revision, outcome.result, started);
    else if (run.files.signal.aborted) member.due = true;
    else this.#failed(member, desired.revision, faultOf(outcome.error));

    if (member.due) this.#schedule(member);
    this.#settleWaiting();
  }

  async #attempt(node: TargetNode, desired: DesiredState, run: Run, onBegin: () => void): Promise<Outcome> {
    try {
      const session = await this.#open(node, {
        signal: run.session.signal,
        onHostKeyPinned: (fingerprint) => {
          this.#emit({ type: 'host-key-pinned', node: node.name, fingerprint });
        },
      });
      try {
        run.connecting = false;
        run.files.signal.throwIfAborted();
        onBegin();
        const result = await syncNode(session, node.root, desired, {
          randomSuffix: this.#randomSuffix,
          signal: run.files.signal,
        });
        return { ok: true, result };
      } finally {
        await session.close();
      }
    } catch (error) {
      return { ok: false, error };
    }
  }

  #succeeded(member: Member, revision: string, result: SyncResult, started: number): void {
    member.held = revision;
    member.mixed = false;
    member.lastSuccess = this.#clock.now();
    member.lastResult = result;
    member.lastError = undefined;
    member.attempts = 0;
    const duration = member.lastSuccess - started;
    this.#emit({ type: 'synced', node: member.node.name, revision, result, duration });
  }

  #failed(member: Member, revision: string, error: NodeFault): void {
    member.lastError = error;
    member.attempts += 1;
    member.due = false;
    const retryIn = backoffDelay(member.attempts, this.#random(), this.#backoff);
    member.retry = {
      at: this.#clock.now() + retryIn,
      cancel: this.#clock.after(retryIn, () => {
        this.#schedule(member);
      }),
    };
    this.#emit({
      type: 'failed',
      node: member.node.name,
      revision,
      error,
      attempts: member.attempts,
      retryIn,
    });
  }

  #settleWaiting(): void {
    if (this.#waiting.length === 0) return;
    const nodes = this.status();
    const idle = nodes.every(({ state }) => state === 'synced' || state === 'failed');
    const settled =
      this.#stopped === undefined ? this.#desired !== undefined && idle : this.#queue.pending === 0;
    if (!settled) return;
    for (const resolve of this.#waiting.splice(0)) resolve({ revision: this.#desired?.revision, nodes });
  }

  /** As an event target does: an observer that throws is reported, and disturbs nobody. */
  #emit(event: FleetEvent): void {
    try {
      this.#observe(event);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

type Outcome =
  { readonly ok: true; readonly result: SyncResult } | { readonly ok: false; readonly error: unknown };

function faultOf(error: unknown): NodeFault {
  if (error instanceof NodeError) return { class: error.class, message: error.message, hint: error.hint };
  return {
    class: 'protocol',
    message: error instanceof Error ? error.message : String(error),
    hint: 'this is not expected of a node: see the log',
  };
}
