import { backoffDelay, type BackoffOptions } from '../distribution/backoff.js';
import type { Clock } from '../distribution/clock.js';
import type { ApiError } from './api-error.js';
import { errorOfFailure } from './api-error.js';
import { callObserver } from './call-observer.js';
import {
  eventKey,
  eventName,
  eventNamespace,
  eventObject,
  normalized,
  objectKey,
  countPatch,
  type EventSeries,
  type EventToRecord,
} from './event-series.js';
import { FaultNews } from './fault-news.js';
import type { KubeClient } from './kube-client.js';
import { resources } from './kube-object.js';
import { TokenBuckets } from './token-buckets.js';

export type { EventRegarding, EventToRecord } from './event-series.js';

export interface EventRecorderOptions {
  readonly client: Pick<KubeClient, 'create' | 'patch'>;
  /** Which replica this is. */
  readonly identity: string;
  readonly clock: Clock;
  /** A number in [0, 1) at each call; names Events and spreads retries. */
  readonly random: () => number;
  /** Told once in a while how many Events were dropped since it was told last. */
  readonly onDropped?: ((count: number) => void) | undefined;
  /** Told when Events cannot be written (once per fault, not at every retry), and `undefined` when they can again. */
  readonly onFault?: ((fault: ApiError | undefined) => void) | undefined;
}

/** The same event so long after the last time, in ms, is a new one. */
const seriesMs = 10 * 60_000;
/** A series is written this often at most, in ms. */
const patchMs = 30_000;
/** An event that could not be written for this long, in ms, is dropped: it is no news any more. */
const keepMs = 10 * 60_000;
/** New events of one object: as many at once as client-go lets through, and as many after that. */
const perObject = { burst: 25, refillMs: 5 * 60_000 };
/** Series that wait to be written, and series that are remembered. */
const longestQueue = 1_000;
const mostSeries = 10_000;
const concurrency = 4;
const backoff: BackoffOptions = { shortest: 1_000, longest: 30_000 };
/** Drops are told this often at most, in ms. */
const dropNewsMs = 5 * 60_000;
/** How long a stop waits for what is still to be written, in ms. */
const stopMs = 5_000;

/**
 * Tells people what happens, by Events on the objects that it happens to. Telling is a courtesy: it never throws and
 * never holds anybody up, equal events become one with a count, an object that would drown in them gets some, and
 * what cannot be written for long is dropped and counted.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #fault: FaultNews;
  readonly #buckets = new TokenBuckets(perObject);
  /** By key, those that happened last at the end. */
  readonly #series = new Map<string, EventSeries>();
  readonly #queue: EventSeries[] = [];
  readonly #idle: (() => void)[] = [];
  #writing = 0;
  /** Tries in a row that failed in a way that time may heal. */
  #failures = 0;
  #cancelPause: (() => void) | undefined;
  #dropped = 0;
  #cancelDropNews: (() => void) | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#fault = new FaultNews(options.onFault);
  }

  /** Takes note of an event and returns at once. After a stop, it does nothing. */
  record(event: EventToRecord): void {
    if (this.#stopping !== undefined) return;
    const now = this.#options.clock.now();
    const told = normalized(event);
    const key = eventKey(told);
    const known = this.#series.get(key);
    this.#series.delete(key);
    if (known !== undefined && (now - known.last < seriesMs || known.written < known.count)) {
      known.last = now;
      known.count += 1;
      this.#series.set(key, known);
      this.#schedule(known);
      return;
    }
    const isAdmitted =
      this.#queue.length < longestQueue && this.#buckets.take(objectKey(told.regarding), now);
    if (!isAdmitted) {
      this.#drop(1);
      return;
    }
    const series = this.#begin(key, told, now);
    this.#series.set(key, series);
    this.#forgetOld(now);
    this.#schedule(series);
  }

  /** Takes no more events; resolves when those noted are written, or dropped because that takes over 5 s. */
  stop(): Promise<void> {
    this.#stopping ??= this.#flush();
    return this.#stopping;
  }

  async #flush(): Promise<void> {
    this.#cancelPause?.();
    this.#cancelPause = undefined;
    for (const series of this.#series.values()) {
      series.cancelWait();
      this.#enqueue(series);
    }
    const { clock } = this.#options;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
      const cancel = clock.after(stopMs, resolve);
      this.#idle.push(cancel);
      this.#pump();
    });
    for (const series of this.#queue.splice(0)) this.#giveUp(series);
    this.#cancelDropNews?.();
    this.#tellDropped();
  }

  #begin(key: string, event: EventToRecord, now: number): EventSeries {
    return {
      key,
      event,
      name: eventName(event.regarding.name, this.#options.random),
      first: now,
      last: now,
      count: 1,
      written: 0,
      writtenAt: Number.NEGATIVE_INFINITY,
      queued: false,
      writing: false,
      cancelWait: () => undefined,
    };
  }

  /** Has a series written: at once when it is new, otherwise when its turn has come. */
  #schedule(series: EventSeries): void {
    if (series.queued || series.writing) return;
    series.cancelWait();
    const wait = series.writtenAt + patchMs - this.#options.clock.now();
    if (wait <= 0) {
      this.#enqueue(series);
      this.#pump();
      return;
    }
    series.cancelWait = this.#options.clock.after(wait, () => {
      this.#enqueue(series);
      this.#pump();
    });
  }

  #enqueue(series: EventSeries): void {
    if (series.queued || series.writing || series.written >= series.count) return;
    series.queued = true;
    this.#queue.push(series);
  }

  #pump(): void {
    // After a fault, one finds out for all whether it has passed.
    const limit = this.#failures === 0 ? concurrency : 1;
    while (this.#cancelPause === undefined && this.#writing < limit) {
      const series = this.#queue.shift();
      if (series === undefined) break;
      series.queued = false;
      if (this.#isStale(series)) {
        this.#giveUp(series);
        continue;
      }
      this.#writing += 1;
      void this.#write(series);
    }
    if (this.#writing === 0 && this.#queue.length === 0) {
      for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  async #write(series: EventSeries): Promise<void> {
    series.writing = true;
    const outcome = await this.#attempt(series);
    series.writing = false;
    this.#writing -= 1;
    if (typeof outcome === 'number') {
      series.written = outcome;
      series.writtenAt = this.#options.clock.now();
      this.#failures = 0;
      this.#fault.set(undefined);
    } else {
      this.#failed(series, outcome);
    }
    if (series.count > series.written && !series.queued && this.#series.get(series.key) === series) {
      if (this.#stopping === undefined) this.#schedule(series);
      else this.#enqueue(series);
    }
    this.#pump();
  }

  /** @returns how often it happened as the cluster knows by now, or what went wrong */
  async #attempt(series: EventSeries): Promise<number | ApiError> {
    const { client, identity } = this.#options;
    const { name, count } = series;
    try {
      if (series.written === 0) await client.create(resources.events, eventObject(series, identity));
      else {
        const key = { namespace: eventNamespace, name };
        await client.patch(resources.events, key, 'merge', countPatch(series));
      }
      return count;
    } catch (error) {
      const fault = errorOfFailure(`Event ${name}`, error);
      // Its name is its own: an earlier try has made it and only its answer was lost, when it had happened once or more.
      return fault.code === 'already-exists' && series.written === 0 ? 1 : fault;
    }
  }

  #failed(series: EventSeries, fault: ApiError): void {
    // Events live for an hour, or as long as the cluster says; what happens after that is told anew.
    if (fault.code === 'not-found' && series.written > 0) {
      this.#replace(series);
      return;
    }
    this.#fault.set(fault);
    if (!passes[fault.code] || this.#stopping !== undefined) {
      this.#giveUp(series);
      return;
    }
    series.queued = true;
    this.#queue.unshift(series);
    this.#pause(fault.retryAfterMs);
  }

  /** Writes nothing for a while: what keeps one event from being written keeps all. */
  #pause(askedMs = 0): void {
    // Of several that fail together, the first counts.
    if (this.#cancelPause !== undefined) return;
    this.#failures += 1;
    const wait = Math.max(askedMs, backoffDelay(this.#failures, this.#options.random(), backoff));
    this.#cancelPause = this.#options.clock.after(Math.min(wait, keepMs), () => {
      this.#cancelPause = undefined;
      this.#pump();
    });
  }

  /** Tells what the cluster does not know yet of a series by a new Event. */
  #replace(series: EventSeries): void {
    const { key, event, last, count, written } = series;
    const next = { ...this.#begin(key, event, last), count: count - written };
    this.#series.set(key, next);
    if (this.#stopping === undefined) this.#schedule(next);
    else this.#enqueue(next);
  }

  /** An event that waits for so long is no news. */
  #isStale({ last }: EventSeries): boolean {
    return this.#options.clock.now() - last > keepMs;
  }

  #giveUp(series: EventSeries): void {
    series.queued = false;
    if (this.#series.get(series.key) === series) this.#series.delete(series.key);
    this.#drop(series.count - series.written);
  }

  /** Forgets series that are over, and the oldest when there are too many; never one that is still to be written. */
  #forgetOld(now: number): void {
    for (const [key, series] of this.#series) {
      const isOver = now - series.last >= seriesMs;
      if (!isOver && this.#series.size <= mostSeries) break;
      if (series.written < series.count) continue;
      this.#series.delete(key);
    }
  }

  #drop(count: number): void {
    if (count === 0) return;
    this.#dropped += count;
    if (this.#stopping !== undefined || this.#cancelDropNews !== undefined) return;
    this.#tellDropped();
    this.#cancelDropNews = this.#options.clock.after(dropNewsMs, () => {
      this.#cancelDropNews = undefined;
      this.#tellDropped();
    });
  }

  #tellDropped(): void {
    const count = this.#dropped;
    this.#dropped = 0;
    if (count === 0) return;
    callObserver(() => this.#options.onDropped?.(count));
  }
}

/** Whether a fault may pass, so that trying again makes sense. */
const passes: Readonly<Record<ApiError['code'], boolean>> = {
  unreachable: true,
  stalled: true,
  unauthorized: true,
  overloaded: true,
  server: true,
  conflict: true,
  forbidden: false,
  'not-found': false,
  'already-exists': false,
  gone: false,
  invalid: false,
};
