import { isDeepStrictEqual } from 'node:util';
import PQueue from 'p-queue';
import type { Source } from '../controller/sources.js';
import { backoffDelay, type BackoffOptions } from '../distribution/backoff.js';
import type { Clock } from '../distribution/clock.js';
import { errorOfFailure, type ApiError } from './api-error.js';
import { FaultNews } from './fault-news.js';
import type { KubeClient } from './kube-client.js';
import { resources, type KubeObject } from './kube-object.js';
import {
  conditionOf,
  conditionType,
  revisionAnnotation,
  revisionOf,
  type NodeCondition,
} from './node-condition.js';

/** What a Node should show. */
export interface NodeStanding {
  readonly condition: NodeCondition;
  /** The revision that the node holds, where that is known: the annotation is left as it is otherwise. */
  readonly revision: string | undefined;
}

export interface NodeStatusWriterOptions {
  readonly client: Pick<KubeClient, 'patch'>;
  /** The Nodes as they are seen to be. */
  readonly nodes: Source<ReadonlyMap<string, KubeObject>>;
  readonly now: () => Date;
  readonly clock: Pick<Clock, 'after'>;
  readonly random?: (() => number) | undefined;
  /** Writes at the same time. Default 20. */
  readonly concurrency?: number | undefined;
  /** Told when a Node cannot be written (once per fault, not at every retry), and `undefined` when all can again. */
  readonly onFault?: ((fault: ApiError | undefined) => void) | undefined;
}

/** How long `urgent` waits at most, in ms. */
const urgentLimit = 5_000;
/** How long a stop waits for what is still to be written, in ms. */
const stopLimit = 3_000;
const retryBackoff: BackoffOptions = { shortest: 500, longest: 30_000 };
/** Somebody else who writes the same may do so again and again: then it is put right more and more seldom. */
const repairBackoff: BackoffOptions = { shortest: 2_000, longest: 300_000 };

/** What is to be written to one Node. */
interface Entry {
  readonly name: string;
  /** `undefined` when nothing is wanted any more. */
  wanted: NodeStanding | undefined;
  /** The Node as the last write left it, which may not be seen yet. */
  written: KubeObject | undefined;
  /** What the last write said. */
  said: NodeStanding | undefined;
  /** `waiting`: for the next try. */
  state: 'idle' | 'queued' | 'writing' | 'waiting';
  failures: number;
  /** How often what was said had to be said again. */
  repairs: number;
  cancelWait: () => void;
  /** Those who wait until nothing is under way. */
  readonly listeners: (() => void)[];
}

/**
 * Writes the condition and the annotation of Nodes: for each Node one write at a time and the newest wish last, so that
 * no late `False` comes after a `True`; nothing where the Node shows it already; again when somebody else has changed
 * it. Both go in one patch of the status, so that no reader sees the one without the other.
 */
export class NodeStatusWriter {
  readonly #options: NodeStatusWriterOptions;
  readonly #queue: PQueue;
  readonly #random: () => number;
  readonly #fault: FaultNews;
  readonly #entries = new Map<string, Entry>();
  readonly #failing = new Set<Entry>();
  readonly #unsubscribe: () => void;
  #stopped = false;

  constructor(options: NodeStatusWriterOptions) {
    this.#options = options;
    this.#queue = new PQueue({ concurrency: options.concurrency ?? 20 });
    this.#random = options.random ?? Math.random;
    this.#fault = new FaultNews(options.onFault);
    this.#unsubscribe = options.nodes.onChange(() => {
      this.#look();
    });
  }

  /** Says what a Node should show from now on. */
  set(name: string, standing: NodeStanding): void {
    if (this.#stopped) return;
    const entry = this.#entries.get(name) ?? newEntry(name);
    this.#entries.set(name, entry);
    const isNews = !isDeepStrictEqual(entry.wanted, standing);
    entry.wanted = standing;
    if (isNews) {
      entry.repairs = 0;
      entry.said = undefined;
      rouse(entry);
    }
    this.#consider(entry);
  }

  /** Wants nothing of any Node any more: another replica says what they show. */
  clear(): void {
    for (const entry of [...this.#entries.values()]) this.#drop(entry);
  }

  /**
   * Resolves when these Nodes show what they should, or a try to write it has failed, or after 5 s: a Node that cannot
   * be written must not keep the others from their files.
   */
  async urgent(names: Iterable<string>): Promise<void> {
    const entries = [...names].flatMap((name) => this.#entries.get(name) ?? []);
    for (const entry of entries) {
      rouse(entry);
      if (entry.state === 'idle' && this.#isDue(entry)) this.#enqueue(entry);
    }
    await this.#bounded(urgentLimit, entries);
  }

  /** Resolves when every Node shows what it should, or waits for its next try. */
  async settled(): Promise<void> {
    await Promise.all([...this.#entries.values()].map(untilSettled));
  }

  /** Writes what is still to be written, within 3 s, and then nothing more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    await this.#bounded(stopLimit, [...this.#entries.values()]);
    this.clear();
  }

  async #bounded(limit: number, entries: readonly Entry[]): Promise<void> {
    let cancel: () => void = () => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(limit, resolve);
    });
    await Promise.race([Promise.all(entries.map(untilSettled)), late]);
    cancel();
  }

  /** The Nodes have changed. */
  #look(): void {
    const nodes = this.#options.nodes.current();
    for (const entry of [...this.#entries.values()]) {
      if (nodes?.has(entry.name) === false) this.#drop(entry);
      else this.#consider(entry);
    }
  }

  #drop(entry: Entry): void {
    entry.wanted = undefined;
    this.#failing.delete(entry);
    rouse(entry);
    this.#consider(entry);
  }

  /** Has a Node written, if it does not show what it should, and is neither in line nor to wait. */
  #consider(entry: Entry): void {
    if (entry.state === 'queued' || entry.state === 'writing') return;
    if (!this.#isDue(entry)) {
      rouse(entry);
      if (entry.wanted === undefined) this.#entries.delete(entry.name);
    } else if (entry.state === 'idle') {
      if (isDeepStrictEqual(entry.said, entry.wanted)) {
        entry.repairs += 1;
        this.#wait(entry, backoffDelay(entry.repairs, this.#random(), repairBackoff));
      } else {
        this.#enqueue(entry);
        return;
      }
    }
    settle(entry);
  }

  #wait(entry: Entry, milliseconds: number): void {
    entry.state = 'waiting';
    entry.cancelWait = this.#options.clock.after(milliseconds, () => {
      entry.state = 'idle';
      if (this.#isDue(entry)) this.#enqueue(entry);
      else this.#consider(entry);
    });
  }

  #enqueue(entry: Entry): void {
    entry.state = 'queued';
    void this.#queue.add(() => this.#write(entry));
  }

  /** Whether the Node shows something else than it should. One that is gone shows nothing, and need not. */
  #isDue(entry: Entry): boolean {
    const node = this.#newest(entry);
    return node !== undefined && entry.wanted !== undefined && !isShown(node, entry.wanted);
  }

  /** The Node as it is seen, or as the own last write left it where that is later. */
  #newest({ name, written }: Entry): KubeObject | undefined {
    const seen = this.#options.nodes.current()?.get(name);
    return seen !== undefined && written !== undefined && isLater(written, seen) ? written : seen;
  }

  async #write(entry: Entry): Promise<void> {
    entry.state = 'idle';
    const node = this.#newest(entry);
    const { wanted } = entry;
    if (node !== undefined && wanted !== undefined && !isShown(node, wanted)) {
      entry.state = 'writing';
      const fault = await this.#attempt(entry, node, wanted);
      entry.state = 'idle';
      if (fault !== undefined) this.#failed(entry, wanted, fault);
    }
    // Something newer may be wanted by now.
    this.#consider(entry);
  }

  async #attempt(entry: Entry, node: KubeObject, wanted: NodeStanding): Promise<ApiError | undefined> {
    const { client, now } = this.#options;
    try {
      entry.written = await client.patch(
        resources.nodes,
        { name: entry.name, subresource: 'status' },
        'strategic',
        patchFor(node, wanted, now()),
      );
      entry.said = wanted;
      entry.failures = 0;
      this.#failing.delete(entry);
      if (this.#failing.size === 0) this.#fault.set(undefined);
      return undefined;
    } catch (error) {
      return errorOfFailure(`patch Node ${entry.name}`, error);
    }
  }

  #failed(entry: Entry, tried: NodeStanding, fault: ApiError): void {
    // The Node is gone, and its absence will be seen.
    if (fault.code === 'not-found') {
      if (entry.wanted === tried) entry.wanted = undefined;
      return;
    }
    entry.failures += 1;
    if (entry.wanted !== undefined) this.#failing.add(entry);
    this.#fault.set(fault);
    // What is wanted by now was not tried yet.
    if (entry.wanted !== tried) return;
    if (this.#stopped) {
      entry.wanted = undefined;
      return;
    }
    const wait = backoffDelay(entry.failures, this.#random(), retryBackoff);
    this.#wait(entry, Math.max(wait, Math.min(fault.retryAfterMs ?? 0, retryBackoff.longest)));
  }
}

function newEntry(name: string): Entry {
  return {
    name,
    wanted: undefined,
    written: undefined,
    said: undefined,
    state: 'idle',
    failures: 0,
    repairs: 0,
    cancelWait: () => undefined,
    listeners: [],
  };
}

/** Ends a wait, if there is one. */
function rouse(entry: Entry): void {
  if (entry.state !== 'waiting') return;
  entry.cancelWait();
  entry.state = 'idle';
}

function untilSettled(entry: Entry): Promise<void> {
  if (entry.state !== 'queued' && entry.state !== 'writing') return Promise.resolve();
  return new Promise((resolve) => entry.listeners.push(resolve));
}

function settle(entry: Entry): void {
  for (const resolve of entry.listeners.splice(0)) resolve();
}

function isShown(node: KubeObject, { condition, revision }: NodeStanding): boolean {
  const shown = conditionOf(node);
  return (
    shown?.status === condition.status &&
    shown.reason === condition.reason &&
    shown.message === condition.message &&
    (revision === undefined || revisionOf(node) === revision)
  );
}

/** Condition and annotation in one; the time of the transition stays unless the status changes. */
function patchFor(node: KubeObject, { condition, revision }: NodeStanding, now: Date): object {
  const { status, reason, message } = condition;
  const shown = conditionOf(node);
  const time = `${now.toISOString().slice(0, 'yyyy-mm-ddThh:mm:ss'.length)}Z`;
  const lastTransitionTime = shown?.status === status && shown.since !== undefined ? shown.since : time;
  return {
    ...(revision !== undefined && { metadata: { annotations: { [revisionAnnotation]: revision } } }),
    status: {
      conditions: [
        { type: conditionType, status, reason, message, lastHeartbeatTime: time, lastTransitionTime },
      ],
    },
  };
}

/** Versions of one object grow; where they are no numbers, what is seen counts. */
function isLater(left: KubeObject, right: KubeObject): boolean {
  const [leftVersion, rightVersion] = [left, right].map(({ metadata }) => metadata.resourceVersion ?? '');
  if (leftVersion === undefined || rightVersion === undefined) return false;
  if (!/^\d+$/.test(leftVersion) || !/^\d+$/.test(rightVersion)) return false;
  return left.metadata.uid === right.metadata.uid && BigInt(leftVersion) > BigInt(rightVersion);
}
