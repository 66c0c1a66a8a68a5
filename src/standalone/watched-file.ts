import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { debounce, type Debounced } from '../controller/debounce.js';
import { oneAtATime } from '../controller/one-at-a-time.js';
import type { Source } from '../controller/sources.js';
import { Listeners } from './listeners.js';
import { messageOf } from './message-of.js';
import { readSettled } from './read-settled.js';
import { watchDirectory } from './watch-directory.js';

/** What a file's text comes to: a value, or one line for each thing that is wrong with it. */
export type ParsedFile<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly faults: readonly string[] };

export interface WatchedFileOptions<T> {
  readonly path: string;
  readonly parse: (text: string) => ParsedFile<T> | Promise<ParsedFile<T>>;
  /**
   * Told when a reading finds something new: the faults, none when all is well. The last good value stays in force
   * meanwhile.
   */
  readonly onRead: (faults: readonly string[]) => void;
  /** How long the file must have been left alone before a change is taken up, in milliseconds. */
  readonly quietMs?: number;
  /** How often to look without any sign of a change: at network drives, and at files that this one names, in milliseconds. */
  readonly lookMs?: number;
  readonly now?: () => number;
}

const defaultQuietMs = 200;
const defaultLookMs = 30_000;
const longestFactor = 10;

/** A file whose last good content is in force: read at the start and whenever it changes. */
export class WatchedFile<T> implements Source<T> {
  readonly #options: WatchedFileOptions<T>;
  readonly #quietMs: number;
  readonly #debounced: Debounced;
  readonly #listeners = new Listeners();
  readonly #read = oneAtATime(() => this.#readOnce());
  #value: T | undefined;
  #text: string | undefined;
  #faults: readonly string[] = [];
  #close: (() => void) | undefined;
  #stopped = false;

  constructor(options: WatchedFileOptions<T>) {
    this.#options = options;
    this.#quietMs = options.quietMs ?? defaultQuietMs;
    this.#debounced = debounce(() => void this.#read(), this.#quietMs, this.#quietMs * longestFactor);
  }

  current(): T | undefined {
    return this.#value;
  }

  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Reads the file and follows it from then on. A file that is broken from the start has no value. */
  async start(): Promise<void> {
    const { path, onRead, lookMs = defaultLookMs } = this.#options;
    // The folder, not the file: a file that is replaced by renaming takes a watch on itself with it.
    const openWatch = () => watchDirectory(dirname(path), this.#debounced.trigger);
    let watch = openWatch();
    const looking = setInterval(() => {
      if (watch.ok) watch.close();
      watch = openWatch();
      void this.#read();
    }, lookMs).unref();
    this.#close = () => {
      clearInterval(looking);
      if (watch.ok) watch.close();
    };

    // At the start there is no last good version to go on with: whoever is writing is waited for, within reason.
    for (let round = 0; round < longestFactor && this.#isUnknown(); round += 1) {
      if (round > 0) await sleep(this.#quietMs);
      await this.#read();
    }
    if (this.#isUnknown()) onRead(['does not come to rest: something keeps writing to it']);
  }

  /** Follows the file no more; resolves when the reading under way has ended. */
  async stop(): Promise<void> {
    this.#close?.();
    this.#debounced.cancel();
    this.#stopped = true;
    await this.#read();
  }

  /** Nothing is known of the file, not even what is wrong with it. */
  #isUnknown(): boolean {
    return this.#value === undefined && this.#faults.length === 0 && !this.#stopped;
  }

  async #readOnce(): Promise<void> {
    if (this.#stopped) return;
    const { path, parse, now = Date.now } = this.#options;
    let text: string | undefined;
    let parsed: ParsedFile<T>;
    try {
      const found = await readSettled(path, this.#quietMs, now);
      if (found.state === 'changing') {
        this.#debounced.trigger();
        return;
      }
      if (found.state === 'settled') {
        text = found.text;
        // Even when the text is the same: files that it names may have changed.
        parsed = await parse(text);
      } else parsed = { ok: false, faults: ['is missing, or is no file'] };
    } catch (error) {
      parsed = { ok: false, faults: [messageOf(error)] };
    }
    this.#take(text, parsed);
  }

  #take(text: string | undefined, parsed: ParsedFile<T>): void {
    const faults = parsed.ok ? [] : parsed.faults;
    const isChanged = parsed.ok && !isDeepStrictEqual(parsed.value, this.#value);
    const isNews = isChanged || text !== this.#text || !isDeepStrictEqual(faults, this.#faults);
    if (parsed.ok) this.#value = parsed.value;
    this.#text = text;
    this.#faults = faults;
    if (isNews) this.#options.onRead(faults);
    if (isChanged) this.#listeners.notify();
  }
}
