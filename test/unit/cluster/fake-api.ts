import { ApiError } from '../../../src/cluster/api-error.js';
import type {
  KubeClient,
  ListScope,
  WatchEnd,
  WatchEventType,
  WatchOptions,
} from '../../../src/cluster/kube-client.js';
import type { ApiResource, KubeObject, ObjectKey } from '../../../src/cluster/kube-object.js';

export type Verb = 'list' | 'watch' | 'get' | 'create' | 'replace';
export type FakeClient = Pick<KubeClient, Verb>;

/** One process's way to the API: what happens to its requests before they arrive, and to the answers. */
export interface Link {
  /** Awaited before the request is handled; rejects to lose it. */
  before?: ((verb: Verb, resource: ApiResource) => Promise<void> | void) | undefined;
  /** Awaited after the request was handled; rejects to lose the answer. */
  after?: ((verb: Verb, resource: ApiResource) => Promise<void> | void) | undefined;
}

interface Happening {
  readonly version: number;
  readonly plural: string;
  readonly type: WatchEventType;
  readonly object: KubeObject;
}

interface OpenWatch {
  readonly plural: string;
  readonly send: (type: WatchEventType, object: KubeObject) => void;
  readonly end: (error?: ApiError) => void;
}

/** An API server in memory: versions, conflicts, watches that replay, compaction. */
export class FakeApi {
  readonly calls: { readonly verb: Verb; readonly at: number; readonly version?: string }[] = [];
  /** Kinds that are answered with 404, by plural. */
  readonly unserved = new Set<string>();
  /** How a watch from a version that is no longer kept is refused. */
  goneAs: 'http' | 'event' = 'http';
  /** The server ends each watch after this time, in ms, instead of after the time asked for. */
  endWatchesAfter: number | undefined;
  /** Watches get nothing, and are not ended: as behind a firewall that forgot the connection. */
  stalled = false;

  readonly #objects = new Map<string, KubeObject>();
  readonly #history: Happening[] = [];
  readonly #watches = new Set<OpenWatch>();
  #version = 100;
  #oldest = 0;
  #uid = 0;

  client(link: Link = {}): FakeClient {
    const through = async <T>(verb: Verb, resource: ApiResource, handle: () => T): Promise<T> => {
      this.calls.push({ verb, at: performance.now() });
      await link.before?.(verb, resource);
      if (this.unserved.has(resource.plural)) {
        if (verb === 'get') return undefined as T;
        throw new ApiError('not-found', `${verb} ${resource.plural}: the server could not find it`);
      }
      const answer = handle();
      await link.after?.(verb, resource);
      return answer;
    };
    return {
      list: (resource, scope) =>
        through('list', resource, () => ({
          items: this.all(resource).filter((object) => isIn(scope ?? {}, object)),
          resourceVersion: String(this.#version),
        })),
      get: (resource, key) => through('get', resource, () => this.#objects.get(idOf(resource, key))),
      create: (resource, object) => through('create', resource, () => this.create(resource, object)),
      replace: (resource, object) =>
        through('replace', resource, () => {
          const known = this.#objects.get(idOf(resource, object.metadata));
          if (known === undefined) throw new ApiError('not-found', 'replace: not there');
          if (known.metadata.resourceVersion !== object.metadata.resourceVersion) {
            throw new ApiError('conflict', 'replace: the object has been modified');
          }
          return this.put(resource, object);
        }),
      watch: async (resource, scope, options) => {
        this.calls.push({ verb: 'watch', at: performance.now(), version: options.resourceVersion });
        await link.before?.('watch', resource);
        if (this.unserved.has(resource.plural)) throw new ApiError('not-found', 'watch: not served');
        return this.#watch(resource, scope, options);
      },
    };
  }

  all({ plural }: ApiResource): KubeObject[] {
    return [...this.#objects].filter(([id]) => id.startsWith(`${plural} `)).map(([, object]) => object);
  }

  get(resource: ApiResource, key: ObjectKey): KubeObject | undefined {
    return this.#objects.get(idOf(resource, key));
  }

  create(resource: ApiResource, object: KubeObject): KubeObject {
    if (this.#objects.has(idOf(resource, object.metadata))) {
      throw new ApiError('already-exists', 'create: already exists');
    }
    return this.put(resource, object);
  }

  /** Makes or changes an object. */
  put(resource: ApiResource, object: KubeObject): KubeObject {
    const id = idOf(resource, object.metadata);
    const known = this.#objects.get(id);
    const uid = known?.metadata.uid ?? `uid-${(this.#uid += 1)}`;
    const stored = this.#stamped(object, uid);
    this.#objects.set(id, stored);
    this.#publish(resource, known === undefined ? 'ADDED' : 'MODIFIED', stored);
    return stored;
  }

  remove(resource: ApiResource, key: ObjectKey): void {
    const known = this.#objects.get(idOf(resource, key));
    if (known === undefined) return;
    this.#objects.delete(idOf(resource, key));
    this.#publish(resource, 'DELETED', this.#stamped(known, known.metadata.uid));
  }

  /** Forgets what happened until now: watches from an older version are refused. */
  compact(): void {
    this.#version += 1;
    this.#oldest = this.#version;
  }

  bookmark(plural: string): void {
    this.#version += 1;
    this.send(plural, 'BOOKMARK', { metadata: { name: '', resourceVersion: String(this.#version) } });
  }

  /** Sends an event as it is to those who watch. */
  send(plural: string, type: WatchEventType, object: unknown): void {
    for (const watch of [...this.#watches]) {
      if (watch.plural === plural) watch.send(type, object as KubeObject);
    }
  }

  /** Ends all watches: in good order, or as a cut connection does. */
  endWatches(error?: ApiError): void {
    for (const watch of [...this.#watches]) watch.end(error);
  }

  get version(): string {
    return String(this.#version);
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  count(verb: Verb): number {
    return this.calls.filter((call) => call.verb === verb).length;
  }

  #stamped(object: KubeObject, uid: string | undefined): KubeObject {
    this.#version += 1;
    return {
      ...object,
      metadata: { ...object.metadata, ...(uid && { uid }), resourceVersion: String(this.#version) },
    };
  }

  #publish({ plural }: ApiResource, type: WatchEventType, object: KubeObject): void {
    this.#history.push({ version: this.#version, plural, type, object });
    this.send(plural, type, object);
  }

  #watch({ plural }: ApiResource, scope: ListScope, options: WatchOptions): Promise<WatchEnd> {
    const { resourceVersion, timeoutSeconds, idleMs, signal, onOpen, onEvent } = options;
    const isGone = Number(resourceVersion) < this.#oldest;
    if (isGone && this.goneAs === 'http') {
      throw new ApiError('gone', `watch ${plural}: too old resource version`);
    }
    return new Promise((resolve, reject) => {
      const isTaken = !this.stalled;
      const end = (how?: ApiError | WatchEnd) => {
        clearTimeout(idle);
        clearTimeout(limit);
        this.#watches.delete(watch);
        if (how instanceof ApiError) reject(how);
        else resolve(how ?? 'ended');
      };
      const idle = setTimeout(() => {
        end(isTaken ? 'idle' : new ApiError('unreachable', `watch ${plural}: no answer in time`));
      }, idleMs);
      const limit = setTimeout(
        () => {
          if (!this.stalled) end();
        },
        this.endWatchesAfter ?? timeoutSeconds * 1000,
      );
      const watch: OpenWatch = {
        plural,
        end,
        send: (type, object) => {
          if (this.stalled || signal.aborted || !isIn(scope, object)) return;
          idle.refresh();
          onEvent(type, object);
        },
      };
      signal.addEventListener('abort', () => {
        end(new ApiError('unreachable', 'aborted'));
      });
      this.#watches.add(watch);
      if (!isTaken) return;
      onOpen?.();
      if (isGone) {
        onEvent('ERROR', { kind: 'Status', code: 410, reason: 'Expired', metadata: {} } as never);
        return;
      }
      for (const { version, type, object, ...happening } of this.#history) {
        if (happening.plural === plural && version > Number(resourceVersion)) watch.send(type, object);
      }
    });
  }
}

function idOf({ plural }: ApiResource, { namespace, name }: ObjectKey): string {
  return `${plural} ${namespace ?? ''}/${name}`;
}

function isIn({ namespace, name }: ListScope, object: KubeObject): boolean {
  // A test may send anything.
  const { metadata } = (object as KubeObject | null) ?? ({} as Partial<KubeObject>);
  if (metadata === undefined || metadata.name === '') return true;
  return (
    (namespace === undefined || metadata.namespace === namespace) &&
    (name === undefined || metadata.name === name)
  );
}
