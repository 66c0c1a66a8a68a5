import type { Source } from '../controller/sources.js';
import { backoffDelay } from '../distribution/backoff.js';
import { systemClock, type Clock } from '../distribution/clock.js';
import { ApiError, errorOfFailure } from './api-error.js';
import { callObserver } from './call-observer.js';
import { confirmNotInstalled } from './crd-presence.js';
import { FaultNews } from './fault-news.js';
import type { KubeClient, ListScope, WatchEventType } from './kube-client.js';
import type { ApiResource, KubeObject } from './kube-object.js';
import { ObjectCache } from './object-cache.js';
import { defaultReflectorTimings, type ReflectorTimings } from './reflector-timings.js';
import { checkedList, readWatchEvent } from './watch-event.js';

export interface ReflectorOptions {
  readonly client: Pick<KubeClient, 'list' | 'watch' | 'get'>;
  readonly resource: ApiResource;
  readonly scope?: ListScope | undefined;
  /** Told when something is wrong (once per fault, not at every retry), and `undefined` when it works again. */
  readonly onFault?: ((fault: ApiError | undefined) => void) | undefined;
  readonly clock?: Clock | undefined;
  /** A number in [0, 1) at each call; spreads retries. */
  readonly random?: (() => number) | undefined;
  readonly timings?: Partial<ReflectorTimings> | undefined;
}

export interface ReflectorStatus {
  /** The objects are known: listed, or known to be none because the kind is not installed. */
  readonly synced: boolean;
  /** False while the kind is known not to be installed. */
  readonly installed: boolean;
  /** What is wrong at the moment; what is known may be old then. */
  readonly fault: ApiError | undefined;
  /** When the API server last answered, in ms since the epoch. */
  readonly lastContact: number | undefined;
  /** How often a list or watch has failed so far. */
  readonly restarts: number;
}

type Objects = ReadonlyMap<string, KubeObject>;

/** What came of one watch. */
interface WatchTurn {
  lived: boolean;
  overdue: boolean;
  error: ApiError | undefined;
}

/** After so many failures in a row the outage was long enough for the server to have been restored from a backup. */
const longOutage = 5;
/** So many watches in a row that the server ends at once are a fault. */
const tooManyShortWatches = 3;
/** The server is asked again after this time, in ms, even when it asks for a longer one. */
const longestRetryAfter = 120_000;
/** How long the server may take to end a watch after its time, in ms, before it is ended from here. */
const watchGrace = 30_000;

/**
 * Keeps the newest state of one kind of objects in memory: lists them, then watches from the version of the list, and
 * goes on for ever through whatever fails. What was known stays known during an outage: only a list that succeeds, an
 * event, or a CustomResourceDefinition that is gone takes an object away.
 */
export class Reflector implements Source<Objects> {
  readonly #client: ReflectorOptions['client'];
  readonly #resource: ApiResource;
  readonly #scope: ListScope;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #timings: ReflectorTimings;
  readonly #cache = new ObjectCache();
  readonly #fault: FaultNews;
  readonly #listeners = new Set<() => void>();
  readonly #waiting: (() => void)[] = [];

  #installed = true;
  #lastContact: number | undefined;
  #restarts = 0;

  /** Where the next watch goes on; `undefined` when everything has to be listed first. */
  #version: string | undefined;
  #relistDue = false;
  /** Nothing has come for too long: whether anything was missed, the next list tells. */
  #mayHaveStalled = false;
  /** How often in a row something failed, with no watch in between that lived. */
  #failures = 0;
  /** How often in a row the version was no longer kept, with no watch in between that lived. */
  #expiries = 0;
  #running: Promise<void> | undefined;
  #stopped = false;
  /** Ends what is under way: a request or a wait. */
  #interrupt: () => void = () => undefined;
  #cancelRelist: () => void = () => undefined;

  constructor(options: ReflectorOptions) {
    this.#client = options.client;
    this.#resource = options.resource;
    this.#scope = options.scope ?? {};
    this.#fault = new FaultNews(options.onFault);
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#timings = { ...defaultReflectorTimings, ...options.timings };
  }

  /**
   * The objects by `namespace/name`, or by `name` where the kind has no namespaces; `undefined` until they are known.
   * The map never changes: after a change there is another one.
   */
  current(): Objects | undefined {
    return this.#cache.current();
  }

  status(): ReflectorStatus {
    return {
      synced: this.#cache.isFilled(),
      installed: this.#installed,
      fault: this.#fault.current(),
      lastContact: this.#lastContact,
      restarts: this.#restarts,
    };
  }

  /** Calls back after the objects became known, changed, or their kind was installed or taken away. */
  onChange(listener: () => void): () => void {
    // A function of its own for each call: the same listener may be there twice.
    const entry = () => {
      listener();
    };
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  /** Begins; does nothing when it has begun, or was stopped. */
  start(): void {
    if (this.#stopped) return;
    this.#running ??= this.#run();
  }

  /** Ends a list or watch under way. Nobody is called any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRelist();
    this.#interrupt();
    this.#releaseWaiting();
    await this.#running;
  }

  /** Resolves when the objects are known, and on stop. */
  whenSynced(): Promise<void> {
    if (this.#cache.isFilled() || this.#stopped) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const wait =
        this.#version === undefined || this.#relistDue
          ? await this.#list()
          : await this.#watch(this.#version);
      if (wait > 0) await this.#pause(wait);
    }
  }

  /** @returns how long to wait before the next step, in ms */
  async #list(): Promise<number> {
    const what = `list ${this.#resource.plural}`;
    const list = await this.#attempt(what, async (signal) =>
      checkedList(what, await this.#client.list(this.#resource, this.#scope, signal)),
    );
    if (this.#stopped) return 0;
    if (list instanceof ApiError)
      return list.code === 'not-found' ? this.#notServed(list) : this.#failed(list);
    this.#contact();
    if (!this.#installed) this.#failures = 0;
    this.#version = list.resourceVersion;
    this.#scheduleRelist();
    const isChanged = this.#take(list.items, true);
    if (isChanged && this.#mayHaveStalled) this.#tellStalled();
    this.#mayHaveStalled = false;
    return 0;
  }

  /** @returns how long to wait before the next step, in ms */
  async #notServed(error: ApiError): Promise<number> {
    const unknown = await this.#attempt(error.message, () =>
      confirmNotInstalled(this.#client, this.#resource, error),
    );
    if (this.#stopped) return 0;
    if (unknown instanceof ApiError) return this.#failed(unknown);
    this.#contact();
    this.#version = undefined;
    this.#failures += 1;
    this.#fault.set(undefined);
    this.#take([], false);
    return this.#backoff(this.#failures);
  }

  /** @returns how long to wait before the next step, in ms */
  async #watch(resourceVersion: string): Promise<number> {
    const what = `watch ${this.#resource.plural}`;
    const timeoutSeconds = Math.round(this.#spread(this.#timings.watchSeconds));
    const turn: WatchTurn = { lived: false, overdue: false, error: undefined };
    const timers: (() => void)[] = [];
    const end = await this.#attempt(what, (signal, abort) => {
      timers.push(
        this.#clock.after(timeoutSeconds * 1000 + watchGrace, () => {
          turn.overdue = true;
          abort();
        }),
      );
      const works = () => {
        this.#contact();
        if (timers.length > 1) return;
        timers.push(
          this.#clock.after(this.#timings.livedMs, () => {
            turn.lived = true;
            this.#failures = this.#expiries = 0;
            this.#fault.set(undefined);
          }),
        );
      };
      return this.#client.watch(this.#resource, this.#scope, {
        resourceVersion,
        timeoutSeconds,
        idleMs: this.#timings.idleMs,
        signal,
        onOpen: () => {
          if (!signal.aborted) works();
        },
        onEvent: (type, object) => {
          if (signal.aborted) return;
          turn.error = this.#follow(what, type, object);
          if (turn.error === undefined) works();
          else abort();
        },
      });
    });
    for (const cancel of timers) cancel();
    if (this.#stopped) return 0;
    if (turn.error !== undefined) return this.#failed(turn.error);
    if (end === 'idle') {
      this.#mayHaveStalled = true;
      this.#version = undefined;
      return 0;
    }
    if (end instanceof ApiError && !turn.overdue) return this.#failed(end);
    return turn.lived ? 0 : this.#endedEarly(what);
  }

  /** @returns what is wrong, when the watch cannot go on */
  #follow(what: string, type: WatchEventType, object: KubeObject): ApiError | undefined {
    const step = readWatchEvent(what, type, object);
    switch (step.type) {
      case 'put':
        this.#version = step.version;
        if (this.#cache.put(step.object)) this.#changed();
        return undefined;
      case 'drop':
        this.#version = step.version;
        if (this.#cache.drop(step.object)) this.#changed();
        return undefined;
      case 'bookmark':
        this.#version = step.version;
        return undefined;
      case 'malformed':
        this.#version = undefined;
        return step.error;
      case 'refused':
        return step.error;
    }
  }

  /** @returns how long to wait before the next step, in ms */
  #failed(error: ApiError): number {
    this.#restarts += 1;
    const asked = Math.min(error.retryAfterMs ?? 0, longestRetryAfter);
    // A watch on a kind that is not served any more: the list tells why.
    const isUnserved = error.code === 'not-found' && this.#version !== undefined;
    if (!isUnserved) this.#fault.set(error);
    if (isUnserved || error.code === 'gone') {
      this.#version = undefined;
      this.#expiries += 1;
      return Math.max(asked, this.#expiries === 1 ? 0 : this.#backoff(this.#expiries - 1));
    }
    this.#failures += 1;
    // The versions of a server that came back from a backup may be lower: a watch from ours would miss what happens.
    if (this.#failures >= longOutage) this.#version = undefined;
    return Math.max(asked, this.#backoff(this.#failures));
  }

  /** A quiet watch is nothing to tell of; one that has lost what happened is. */
  #tellStalled(): void {
    const { plural } = this.#resource;
    const seconds = Math.round(this.#timings.idleMs / 1000);
    this.#restarts += 1;
    this.#fault.set(
      new ApiError(
        'stalled',
        `watch ${plural}: nothing came for ${seconds} s, and changes were missed until now`,
      ),
    );
  }

  /** The server has ended a watch in good order, but too soon to go on at once. */
  #endedEarly(what: string): number {
    this.#failures += 1;
    if (this.#failures >= tooManyShortWatches) {
      this.#restarts += 1;
      this.#fault.set(new ApiError('server', `${what}: the server ends every watch right after its start`));
    }
    return this.#backoff(this.#failures);
  }

  /** Makes a request that `stop` ends; a failure is a value. */
  async #attempt<T>(
    what: string,
    request: (signal: AbortSignal, abort: () => void) => Promise<T>,
  ): Promise<T | ApiError> {
    const controller = new AbortController();
    const aborted = new Promise<never>((_, reject) => {
      controller.signal.addEventListener('abort', () => {
        reject(new ApiError('unreachable', `${what}: ended from here`));
      });
    });
    const abort = () => {
      controller.abort();
    };
    this.#interrupt = abort;
    try {
      // Not every request takes the signal, and none may hold up the next step once it is aborted.
      return await Promise.race([request(controller.signal, abort), aborted]);
    } catch (error) {
      return errorOfFailure(what, error);
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    if (this.#stopped) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(milliseconds, resolve);
      this.#interrupt = () => {
        cancel();
        resolve();
      };
    });
  }

  #scheduleRelist(): void {
    this.#cancelRelist();
    this.#relistDue = false;
    // Taken at the end of the watch under way: it lasts minutes, and between two watches nothing is interrupted.
    this.#cancelRelist = this.#clock.after(this.#spread(this.#timings.relistMs), () => {
      this.#relistDue = true;
    });
  }

  #contact(): void {
    this.#lastContact = this.#clock.now();
  }

  /** Takes over what a list says; @returns whether that is news. */
  #take(objects: readonly KubeObject[], installed: boolean): boolean {
    const isChanged = this.#cache.replaceAll(objects) || this.#installed !== installed;
    this.#installed = installed;
    this.#releaseWaiting();
    if (isChanged) this.#changed();
    return isChanged;
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) {
      if (this.#listeners.has(listener) && !this.#stopped) callObserver(listener);
    }
  }

  #releaseWaiting(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #backoff(failures: number): number {
    return backoffDelay(failures, this.#random(), this.#timings.backoff);
  }

  #spread(most: number): number {
    return most * (0.8 + 0.2 * this.#random());
  }
}
