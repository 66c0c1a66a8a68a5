import { NodeError } from '../../../src/distribution/node-error.js';
import type { RemoteEntry, RemoteFiles } from '../../../src/distribution/remote-files.js';

export type MemoryOperation = `${keyof RemoteFiles} ${string}`;

/**
 * A node's files in memory. `before` sees each operation before it is carried out, and stops it by throwing. With
 * `foldsCase`, names that differ in case alone are the same, as on Windows.
 */
export class MemoryFiles implements RemoteFiles {
  readonly operations: MemoryOperation[] = [];
  before: (operation: MemoryOperation) => void = () => undefined;
  readonly #files = new Map<string, { readonly path: string; content: Buffer }>();
  readonly #directories = new Map<string, string>();
  readonly #links = new Set<string>();

  constructor(readonly foldsCase = true) {}

  /** Puts a file there, with the directories above it. */
  put(path: string, content: string | Buffer): this {
    this.putDirectory(path.slice(0, path.lastIndexOf('/')));
    this.#files.set(this.#key(path), { path, content: Buffer.from(content) });
    return this;
  }

  putDirectory(path: string): this {
    const segments = path.split('/').slice(1);
    segments.forEach((_, index) => {
      const directory = `/${segments.slice(0, index + 1).join('/')}`;
      if (!this.#directories.has(this.#key(directory)))
        this.#directories.set(this.#key(directory), directory);
    });
    return this;
  }

  putLink(path: string): this {
    this.put(path, '');
    this.#links.add(this.#key(path));
    return this;
  }

  /** Every file below a directory, path below it → content. */
  tree(directory: string): Record<string, string> {
    const below = [...this.#files.values()].filter(({ path }) => path.startsWith(`${directory}/`));
    return Object.fromEntries(
      below
        .map(({ path, content }) => [path.slice(directory.length + 1), content.toString()] as const)
        .sort(([left], [right]) => (left < right ? -1 : 1)),
    );
  }

  hasDirectory(path: string): boolean {
    return this.#directories.has(this.#key(path));
  }

  /** The operations that change something. */
  get changes(): MemoryOperation[] {
    return this.operations.filter((operation) => !/^(list|read) /.test(operation));
  }

  async list(directory: string): Promise<RemoteEntry[] | undefined> {
    await this.#begin(`list ${directory}`);
    if (!this.hasDirectory(directory)) return undefined;
    const within = (path: string): boolean =>
      this.#key(path).startsWith(`${this.#key(directory)}/`) &&
      !path.slice(directory.length + 1).includes('/');
    const nameOf = (path: string): string => path.slice(directory.length + 1);
    return [
      ...[...this.#directories.values()].filter(within).map((path) => ({
        name: nameOf(path),
        kind: 'directory' as const,
        size: undefined,
      })),
      ...[...this.#files.values()]
        .filter(({ path }) => within(path))
        .map(({ path, content }) => ({
          name: nameOf(path),
          kind: this.#links.has(this.#key(path)) ? ('other' as const) : ('file' as const),
          size: content.length,
        })),
    ];
  }

  async read(path: string, limit: number): Promise<Buffer | undefined> {
    await this.#begin(`read ${path}`);
    return this.#files.get(this.#key(path))?.content.subarray(0, limit);
  }

  async create(path: string, content: Buffer): Promise<void> {
    await this.#begin(`create ${path}`);
    if (this.#files.has(this.#key(path))) throw new NodeError('protocol', `${path} exists`, '-');
    if (!this.hasDirectory(path.slice(0, path.lastIndexOf('/')))) {
      throw new NodeError('protocol', `no directory for ${path}`, '-');
    }
    this.#files.set(this.#key(path), { path, content: Buffer.from(content) });
  }

  async replace(from: string, to: string): Promise<void> {
    await this.#begin(`replace ${to}`);
    const file = this.#files.get(this.#key(from));
    if (file === undefined) throw new NodeError('protocol', `${from} is not there`, '-');
    this.#files.delete(this.#key(from));
    this.#files.set(this.#key(to), { path: to, content: file.content });
  }

  async remove(path: string): Promise<boolean> {
    await this.#begin(`remove ${path}`);
    return this.#files.delete(this.#key(path));
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#begin(`makeDirectory ${path}`);
    const parent = path.slice(0, path.lastIndexOf('/'));
    if (!this.hasDirectory(parent) && !/^\/[A-Za-z]:$/.test(parent) && parent !== '') {
      throw new NodeError('protocol', `no parent for ${path}`, '-');
    }
    if (!this.hasDirectory(path)) this.#directories.set(this.#key(path), path);
  }

  async removeDirectory(path: string): Promise<boolean> {
    await this.#begin(`removeDirectory ${path}`);
    const inside = [...this.#files.keys(), ...this.#directories.keys()].some((key) =>
      key.startsWith(`${this.#key(path)}/`),
    );
    return !inside && this.#directories.delete(this.#key(path));
  }

  /** Yields first, as a network does, so that calls really overlap. */
  async #begin(operation: MemoryOperation): Promise<void> {
    await Promise.resolve();
    this.operations.push(operation);
    this.before(operation);
  }

  #key(path: string): string {
    return this.foldsCase ? path.toLowerCase() : path;
  }
}
