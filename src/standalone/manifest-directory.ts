import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { debounce, type Debounced } from '../controller/debounce.js';
import type { MirrorSetSnapshot, MirrorSetSource } from '../controller/sources.js';
import { parseManifests, type ManifestMirrorSet, type ParsedManifests } from '../mirrors/manifest.js';
import { compareText, keyOf } from '../mirrors/mirror-set.js';
import { listManifests } from './list-manifests.js';
import { Listeners } from './listeners.js';
import { watchPath } from './watch-path.js';

/** Something in the directory that is not taken up; what was read before from that file stays. */
export interface DirectoryFault {
  /** `file:line`, or the file alone. */
  readonly where: string;
  readonly message: string;
}

export interface ManifestDirectoryOptions {
  readonly path: string;
  /** Told after every reading in which something is wrong, and once after all is well again. */
  readonly onFaults: (faults: readonly DirectoryFault[]) => void;
  readonly now: () => number;
  /** A file must have been left alone this long before it is read, in milliseconds: whoever writes it may not be done. */
  readonly settleMs?: number;
}

const defaultSettleMs = 300;
const longestFactor = 10;

interface ReadFile {
  readonly digest: string;
  readonly parsed: ParsedManifests;
  readonly faults: readonly DirectoryFault[];
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
  #files = new Map<string, ReadFile>();
  #snapshot: MirrorSetSnapshot | undefined;
  #located = new Map<string, ManifestMirrorSet>();
  #reported = '';
  #scanning: Promise<void> = Promise.resolve();
  #close: (() => Promise<void>) | undefined;

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
   * Reads everything and follows the directory from then on.
   *
   * @throws when the directory cannot be read at all
   */
  async start(): Promise<void> {
    await readdir(this.#options.path);
    this.#close = await watchPath(this.#options.path, this.#debounced.trigger, (error) => {
      this.#options.onFaults([
        { where: this.#options.path, message: `is not watched any more: ${messageOf(error)}` },
      ]);
    });
    await this.scan();
  }

  async stop(): Promise<void> {
    this.#debounced.cancel();
    await this.#close?.();
    await this.#scanning;
  }

  /** Reads what has changed; one reading at a time. Never rejects. */
  scan(): Promise<void> {
    this.#scanning = this.#scanning.then(() => this.#scan());
    return this.#scanning;
  }

  async #scan(): Promise<void> {
    let paths: string[];
    try {
      paths = await listManifests(this.#options.path);
    } catch (error) {
      this.#report([{ where: this.#options.path, message: messageOf(error) }]);
      return;
    }

    const files = new Map<string, ReadFile>();
    for (const path of paths) {
      const file = await this.#read(path, this.#files.get(path));
      if (file !== undefined) files.set(path, file);
    }
    this.#files = files;

    const { located, insecureRegistries, faults } = this.#merge(files);
    this.#located = located;
    this.#report([...[...files.values()].flatMap((file) => file.faults), ...faults]);
    this.#snapshot = { sets: [...located.values()].map(({ set }) => set), insecureRegistries };
    this.#listeners.notify();
  }

  async #read(path: string, before: ReadFile | undefined): Promise<ReadFile | undefined> {
    const keep = (message: string): ReadFile => ({
      digest: '',
      parsed: before?.parsed ?? { sets: [], insecureRegistries: [], skipped: [], faults: [] },
      faults: [
        {
          where: path,
          message: before === undefined ? message : `${message}; what it said before stays in force`,
        },
      ],
    });
    let text: string;
    try {
      const { mtimeMs } = await stat(path);
      const age = this.#options.now() - mtimeMs;
      // A date in the future says nothing about whether someone is writing.
      if (this.#snapshot !== undefined && age >= 0 && age < this.#settleMs) {
        this.#debounced.trigger();
        return before;
      }
      text = await readFile(path, 'utf8');
    } catch (error) {
      // Gone between listing and reading.
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      return keep(messageOf(error));
    }

    const digest = createHash('sha256').update(text).digest('hex');
    if (digest === before?.digest) return before;
    if (text.trim() === '' && before !== undefined && before.parsed.sets.length > 0) return keep('is empty');

    const parsed = parseManifests(text, path);
    if (parsed.faults.length === 0) return { digest, parsed, faults: [] };
    const faults = parsed.faults.map(({ file, line, message }) => ({ where: `${file}:${line}`, message }));
    // Half of a file is not what its author means: all of it is as it was before.
    return { digest: '', parsed: before?.parsed ?? parsed, faults };
  }

  #merge(files: ReadonlyMap<string, ReadFile>) {
    const located = new Map<string, ManifestMirrorSet>();
    const faults: DirectoryFault[] = [];
    for (const { parsed } of files.values()) {
      for (const manifest of parsed.sets) {
        const key = keyOf(manifest.set);
        const first = located.get(key);
        if (first === undefined) located.set(key, manifest);
        else {
          const { file, line } = manifest.locate('metadata.name');
          faults.push({
            where: `${file}:${line}`,
            message: `${key} stands in ${first.file} already; this one is ignored`,
          });
        }
      }
    }
    const insecureRegistries = [...files.values()].flatMap(({ parsed }) => parsed.insecureRegistries);
    return { located, insecureRegistries, faults };
  }

  #report(faults: readonly DirectoryFault[]): void {
    const text = JSON.stringify(faults);
    if (text === this.#reported || (this.#reported === '' && faults.length === 0)) return;
    this.#reported = faults.length === 0 ? '' : text;
    this.#options.onFaults(faults);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
