import { readdir } from 'node:fs/promises';
import { basename, dirname, resolve, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { debounce, type Debounced } from '../controller/debounce.js';
import { oneAtATime } from '../controller/one-at-a-time.js';
import type { MirrorSetSnapshot, MirrorSetSource } from '../controller/sources.js';
import type { ManifestMirrorSet } from '../mirrors/manifest.js';
import { compareText, keyOf } from '../mirrors/mirror-set.js';
import { listManifests } from './list-manifests.js';
import { Listeners } from './listeners.js';
import {
  missingManifestFile,
  readManifestFile,
  type DirectoryFault,
  type ManifestFile,
} from './manifest-file.js';
import { mergeManifests } from './merge-manifests.js';
import { messageOf } from './message-of.js';
import { isMissing } from './read-settled.js';
import { watchDirectory, type DirectoryWatch } from './watch-directory.js';

export type { DirectoryFault } from './manifest-file.js';

export interface ManifestDirectoryOptions {
  readonly path: string;
  /** Told when what is wrong is no longer the same, and once with none after all is well again. */
  readonly onFaults: (faults: readonly DirectoryFault[]) => void;
  readonly now: () => number;
  /** A file must have been left alone this long before it is read, in milliseconds: whoever writes it may not be done. */
  readonly settleMs?: number;
  /** How often to look without any sign of a change, in milliseconds: network drives give none. */
  readonly lookMs?: number;
}

const defaultSettleMs = 300;
const defaultLookMs = 15_000;
const longestFactor = 10;
const staysInForce = 'what was read there before stays in force';

/** What a reading of the directory comes to. */
interface Reading {
  readonly files: ReadonlyMap<string, ManifestFile>;
  readonly faults: readonly DirectoryFault[];
  /** Every folder could be read. */
  readonly isWhole: boolean;
  /** Someone is writing a file, or has just taken one away: it is time to look again soon. */
  readonly isUnsettled: boolean;
}

/**
 * A directory of manifests, read at the start and whenever something below it changes. A file that is broken, empty
 * or still being written keeps what it last said; a file that is gone takes its sets with it.
 */
export class ManifestDirectory implements MirrorSetSource {
  readonly #options: ManifestDirectoryOptions;
  readonly #settleMs: number;
  readonly #debounced: Debounced;
  readonly #listeners = new Listeners();
  readonly #scan = oneAtATime(() => this.#scanOnce());
  #files: ReadonlyMap<string, ManifestFile> = new Map();
  #snapshot: MirrorSetSnapshot | undefined;
  #located: ReadonlyMap<string, ManifestMirrorSet> = new Map();
  #reported: readonly DirectoryFault[] = [];
  #watches: DirectoryWatch[] = [];
  #looking: NodeJS.Timeout | undefined;
  #isStarting = true;
  #isStopped = false;

  constructor(options: ManifestDirectoryOptions) {
    this.#options = options;
    this.#settleMs = options.settleMs ?? defaultSettleMs;
    this.#debounced = debounce(() => void this.scan(), this.#settleMs, this.#settleMs * longestFactor);
  }

  current(): MirrorSetSnapshot | undefined {
    return this.#snapshot;
  }

  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** The manifest that a set was read from, so that a finding can be shown at its line. */
  manifestOf(set: {
    readonly kind: ManifestMirrorSet['set']['kind'];
    readonly name: string;
  }): ManifestMirrorSet | undefined {
    return this.#located.get(keyOf(set));
  }

  /**
   * Reads everything and follows the directory from then on. Files that are being written are waited for, within
   * reason.
   *
   * @throws when the directory cannot be read at all
   */
  async start(): Promise<void> {
    const { path, lookMs = defaultLookMs } = this.#options;
    await readdir(path);
    if (this.#isStopped) return;
    this.#looking = setInterval(() => void this.scan(), lookMs).unref();
    const isWaiting = () => this.#snapshot === undefined && !this.#isStopped;
    for (let round = 0; round < longestFactor && isWaiting(); round += 1) {
      if (round > 0) await sleep(this.#settleMs);
      await this.scan();
    }
    this.#isStarting = false;
    if (isWaiting()) await this.scan();
  }

  /** Follows the directory no more; resolves when the reading under way has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#debounced.cancel();
    clearInterval(this.#looking);
    await this.scan();
    this.#renewWatches([]);
  }

  /** Reads what has changed; one reading at a time. Never rejects. */
  scan(): Promise<void> {
    return this.#scan();
  }

  async #scanOnce(): Promise<void> {
    if (this.#isStopped) return;
    let reading: Reading;
    try {
      reading = await this.#readAll();
    } catch (error) {
      this.#report([{ where: this.#options.path, message: `${messageOf(error)}; ${staysInForce}` }]);
      return;
    }
    if (reading.isUnsettled) this.#debounced.trigger();
    if (reading.isUnsettled && this.#isStarting) return;

    const { files } = reading;
    const merged = mergeManifests(files.values());
    const complete = merged.complete && reading.isWhole;
    const isChanged =
      this.#snapshot?.complete !== complete ||
      files.size !== this.#files.size ||
      [...files].some(([path, { parsed }]) => this.#files.get(path)?.parsed !== parsed);
    this.#files = files;
    this.#report([...reading.faults, ...merged.faults]);
    if (!isChanged) return;
    const { located, insecureRegistries } = merged;
    this.#located = located;
    this.#snapshot = { sets: [...located.values()].map(({ set }) => set), insecureRegistries, complete };
    this.#listeners.notify();
  }

  async #readAll(): Promise<Reading> {
    const { listed, unreadable, faults } = await this.#list();
    const before = this.#files;
    const isUnknown = (path: string) => unreadable.some((folder) => path.startsWith(`${folder}${sep}`));

    const files = new Map<string, ManifestFile>();
    let isUnsettled = false;
    for (const path of [...new Set([...listed, ...before.keys()])].sort(compareText)) {
      const known = before.get(path);
      if (known !== undefined && isUnknown(path)) {
        files.set(path, known);
        continue;
      }
      const reading = listed.has(path)
        ? await readManifestFile(path, known, { settleMs: this.#settleMs, now: this.#options.now })
        : missingManifestFile(known);
      if (reading.file !== undefined) files.set(path, reading.file);
      isUnsettled ||= reading.isUnsettled;
    }
    return { files, faults, isWhole: unreadable.length === 0, isUnsettled };
  }

  /** Finds the files, with a watch on every folder. */
  async #list() {
    const { path } = this.#options;
    const unreadable: string[] = [];
    const faults: DirectoryFault[] = [];
    const watches: DirectoryWatch[] = [];
    const watch = (folder: string, onChange: (name: string | null) => void) => {
      const opened = watchDirectory(folder, onChange);
      watches.push(opened);
      if (!opened.ok && opened.fault !== undefined)
        faults.push({ where: folder, message: `changes are noticed late: ${opened.fault}` });
    };

    // The directory may be a link that is led elsewhere, or be taken away and come back.
    const place = resolve(path);
    watch(dirname(place), (name) => {
      if (name === null || name === basename(place)) this.#debounced.trigger();
    });
    try {
      const listed = await listManifests(path, {
        // Before it is read, so that what comes in between is seen.
        onFolder: (folder) => {
          watch(folder, this.#debounced.trigger);
        },
        onUnreadable: (folder, error) => {
          if (isMissing(error)) return;
          unreadable.push(folder);
          faults.push({ where: folder, message: `${messageOf(error)}; ${staysInForce}` });
        },
      });
      return { listed: new Set(listed), unreadable, faults };
    } finally {
      this.#renewWatches(watches);
    }
  }

  #report(faults: readonly DirectoryFault[]): void {
    if (isDeepStrictEqual(faults, this.#reported)) return;
    this.#reported = faults;
    this.#options.onFaults(faults);
  }

  #renewWatches(watches: DirectoryWatch[]): void {
    for (const watch of this.#watches) if (watch.ok) watch.close();
    this.#watches = watches;
  }
}
