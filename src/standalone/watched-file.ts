import { readFile } from 'node:fs/promises';
import { debounce } from '../controller/debounce.js';
import type { Source } from '../controller/sources.js';
import { Listeners } from './listeners.js';
import { watchPath } from './watch-path.js';

/** What a file's text comes to: a value, or one line for each thing that is wrong with it. */
export type ParsedFile<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly faults: readonly string[] };

export interface WatchedFileOptions<T> {
  readonly path: string;
  readonly parse: (text: string) => ParsedFile<T> | Promise<ParsedFile<T>>;
  /** Told after each reading: the faults, none when all is well. The last good value stays in force meanwhile. */
  readonly onRead: (faults: readonly string[]) => void;
  readonly quietMs?: number;
}

const defaultQuietMs = 200;
const longestFactor = 10;

/** A file whose last good content is in force: read at the start and whenever it changes. */
export class WatchedFile<T> implements Source<T> {
  readonly #options: WatchedFileOptions<T>;
  readonly #listeners = new Listeners();
  #value: T | undefined;
  #text: string | undefined;
  #close: (() => Promise<void>) | undefined;

  constructor(options: WatchedFileOptions<T>) {
    this.#options = options;
  }

  current(): T | undefined {
    return this.#value;
  }

  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Reads the file and follows it from then on. A file that is broken from the start has no value. */
  async start(): Promise<void> {
    const { path, onRead, quietMs = defaultQuietMs } = this.#options;
    const debounced = debounce(() => void this.#read(), quietMs, quietMs * longestFactor);
    const close = await watchPath(path, debounced.trigger, (error) => {
      onRead([`${path} is not watched any more: ${messageOf(error)}`]);
    });
    this.#close = async () => {
      debounced.cancel();
      await close();
    };
    await this.#read();
  }

  async stop(): Promise<void> {
    await this.#close?.();
  }

  async #read(): Promise<void> {
    const { path, parse, onRead } = this.#options;
    let text: string;
    let parsed: ParsedFile<T>;
    try {
      text = await readFile(path, 'utf8');
      if (text === this.#text) return;
      parsed = await parse(text);
    } catch (error) {
      this.#text = undefined;
      onRead([messageOf(error)]);
      return;
    }
    this.#text = text;
    onRead(parsed.ok ? [] : parsed.faults);
    if (!parsed.ok) return;
    this.#value = parsed.value;
    this.#listeners.notify();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
