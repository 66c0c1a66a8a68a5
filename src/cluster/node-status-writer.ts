import PQueue from 'p-queue';
import type { Source } from '../controller/sources.js';
import { backoffDelay, defaultBackoff, type BackoffOptions } from '../distribution/backoff.js';
import type { Clock } from '../distribution/clock.js';
import { errorOfFailure, isApiError, type ApiError } from './api-error.js';
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
  readonly backoff?: BackoffOptions | undefined;
  /** Told when a Node cannot be written (once per fault, not at every retry), and `undefined` when it can again. */
  readonly onFault?: ((fault: ApiError | undefined) => void) | undefined;
}

/** How long `urgent` waits at most, in ms. */
const urgentLimit = 5_000;
/** How long a stop waits for what is still to be written, in ms. */
const stopLimit = 3_000;

/** What is to be written to one Node. */
interface Entry {
  readonly name: string;
  wanted: NodeStanding;
  /** The Node as the last write left it, which may not be seen yet. */
  written: KubeObject | undefined;
  queued: boolean;
  writing: boolean;
  failures: number;
  cancelRetry: () => void;
  readonly waiting: (() => void)[];
}

/**
 * Writes the condition and the annotation of Nodes: for each Node one write at a time and the newest wish last, so that
 * no late `False` comes after a `True`; nothing where the Node shows it already; again when somebody else has changed
 * it. Both go in one patch of the status, so that no reader sees the one without the other.
 */
export class NodeStatusWriter {
  readonly #options: NodeStatusWriterOptions;
  readonly #queue: PQueue;
  readonly #backoff: BackoffOptions;
  readonly #random: () => number;
  readonly #fault: FaultNews;
  readonly #entries = new Map<string, Entry>();
  readonly #unsubscribe: () => void;
  #stopped = false;

  constructor(options: NodeStatusWriterOptions) {
    this.#options = options;
    this.#queue = new PQueue({ concurrency: options.concurrency ?? 20 });
    this.#backoff = options.backoff ?? { ...defaultBackoff, shortest: 500, longest: 30_000 };
    this.#random = options.random ?? Math.random;
    this.#fault = new FaultNews(options.onFault);
    this.#unsubscribe = options.nodes.onChange(() => {
      for (const entry of this.#entries.values()) this.#schedule(entry);
    });
  }

  /** Says what a Node should show from now on. */
  set(name: string, standing: NodeStanding): void {
    if (this.#stopped) return;
    const known = this.#entries.get(name);
    const entry: Entry = known ?? {
      name,
      wanted: standing,
      written: undefined,
      queued: false,
      writing: false,
      failures: 0,
      cancelRetry: () => undefined,
      waiting: [],
    };
    entry.wanted = standing;
    this.#entries.set(name, entry);
    this.#schedule(entry);
  }

  /** Wants nothing of any Node any more: another replica says what they show. */
  clear(): void {
    for (const entry of this.#entries.values()) {
      entry.cancelRetry();
      settle(entry);
    }
    this.#entries.clear();
  }

  /**
   * Resolves when these Nodes show what they should, or a try to write it has failed, or after 5 s: a Node that cannot
   * be written must not keep the others from their files.
   */
  async urgent(names: Iterable<string>): Promise<void> {
    const entries = [...names].flatMap((name) => this.#entries.get(name) ?? []);
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
    this.#queue.clear();
  }

  async #bounded(limit: number, entries: readonly Entry[]): Promise<void> {
    let cancel: () => void = () => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(limit, resolve);
    });
    await Promise.race([Promise.all(entries.map(untilSettled)), late]);
    cancel();
  }

  #schedule(entry: Entry): void {
    if (entry.queued || entry.writing) return;
    if (!this.#isDue(entry)) {
      settle(entry);
      return;
    }
    entry.cancelRetry();
    entry.queued = true;
    void this.#queue.add(() => this.#write(entry));
  }

  /** Whether the Node shows something else than it should. One that is gone shows nothing, and need not. */
  #isDue(entry: Entry): boolean {
    const node = this.#newest(entry);
    return node !== undefined && !isShown(node, entry.wanted);
  }

  /** The Node as it is seen, or as the own last write left it where that is later. */
  #newest({ name, written }: Entry): KubeObject | undefined {
    const seen = this.#options.nodes.current()?.get(name);
    return seen !== undefined && written !== undefined && isLater(written, seen) ? written : seen;
  }

  async #write(entry: Entry): Promise<void> {
    entry.queued = false;
    const node = this.#newest(entry);
    if (node === undefined || this.#entries.get(entry.name) !== entry || !this.#isDue(entry)) {
      settle(entry);
      return;
    }
    entry.writing = true;
    const { wanted } = entry;
    try {
      entry.written = await this.#options.client.patch(
        resources.nodes,
        { name: entry.name, subresource: 'status' },
        'strategic',
        patchFor(node, wanted, this.#options.now()),
      );
      entry.failures = 0;
      this.#fault.set(undefined);
    } catch (error) {
      this.#failed(entry, error);
    } finally {
      entry.writing = false;
    }
    // Something newer may be wanted by now.
    if (entry.failures === 0 || entry.wanted !== wanted) this.#schedule(entry);
    else settle(entry);
  }

  #failed(entry: Entry, error: unknown): void {
    // The Node is gone; that will be seen.
    if (isApiError(error, 'not-found')) {
      this.#entries.delete(entry.name);
      settle(entry);
      return;
    }
    entry.failures += 1;
    this.#fault.set(errorOfFailure(`patch Node ${entry.name}`, error));
    if (this.#stopped) return;
    entry.cancelRetry = this.#options.clock.after(
      backoffDelay(entry.failures, this.#random(), this.#backoff),
      () => {
        this.#schedule(entry);
      },
    );
  }
}

function untilSettled(entry: Entry): Promise<void> {
  if (!entry.queued && !entry.writing) return Promise.resolve();
  return new Promise((resolve) => entry.waiting.push(resolve));
}

function settle(entry: Entry): void {
  for (const resolve of entry.waiting.splice(0)) resolve();
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
