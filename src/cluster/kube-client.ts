import type { KubeConfig } from '@kubernetes/client-node';
import { ApiError, errorOfAnswer, errorOfFailure, isApiError } from './api-error.js';
import { pathOf, type ApiResource, type KubeObject, type ObjectKey } from './kube-object.js';

/** Which objects of a kind. */
export interface ListScope {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  /** One object alone, by its name: what a Role with `resourceNames` lets one list and watch. */
  readonly name?: string | undefined;
}

export interface ObjectList {
  readonly items: readonly KubeObject[];
  /** The version from which a watch goes on. */
  readonly resourceVersion: string;
}

/** As the API sends them; `ERROR` carries a `Status`. */
export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';

export interface WatchOptions {
  readonly resourceVersion: string;
  /** The server ends the watch after this time, in seconds. */
  readonly timeoutSeconds: number;
  /**
   * A connection on which nothing comes for this long, in ms, is given up. Bookmarks come about every minute, though
   * not of a kind that has had no event since the API server started.
   */
  readonly idleMs: number;
  readonly signal: AbortSignal;
  /** The server has taken the watch: events follow. Must not throw. */
  readonly onOpen?: (() => void) | undefined;
  /** Must not throw. */
  readonly onEvent: (type: WatchEventType, object: KubeObject) => void;
}

/**
 * How a watch came to its end: the server has ended it; or nothing came for `idleMs`, be it that there was nothing to
 * tell, or that the connection has stalled.
 */
export type WatchEnd = 'ended' | 'idle';

export type PatchType = 'merge' | 'strategic';

/**
 * The API server, as far as mirrorgate needs it. All methods reject with an `ApiError`, and give up after a bounded
 * time.
 */
export interface KubeClient {
  /** Where the API server is, for messages. */
  readonly server: string;
  list(resource: ApiResource, scope?: ListScope, signal?: AbortSignal): Promise<ObjectList>;
  /** Resolves when the watch, once the server had taken it, is over; rejects with an `ApiError` otherwise, abort included. */
  watch(resource: ApiResource, scope: ListScope, options: WatchOptions): Promise<WatchEnd>;
  /** `undefined` when there is no such object. */
  get(resource: ApiResource, key: ObjectKey): Promise<KubeObject | undefined>;
  create(resource: ApiResource, object: KubeObject): Promise<KubeObject>;
  /** Rejects with `conflict` unless the object's `resourceVersion` is the newest. */
  replace(resource: ApiResource, object: KubeObject): Promise<KubeObject>;
  patch(
    resource: ApiResource,
    key: ObjectKey & { readonly subresource?: 'status' },
    type: PatchType,
    patch: object,
  ): Promise<KubeObject>;
  /** Resolves too when there is no such object. */
  remove(resource: ApiResource, key: ObjectKey): Promise<void>;
}

export interface KubeClientOptions {
  /** How long a request may take, in ms. Default 15 s. */
  readonly requestTimeoutMs?: number;
}

const pageSize = 500;
const patchTypes: Readonly<Record<PatchType, string>> = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
};

/**
 * A client for the API server that a kubeconfig, or a pod's service account, names. `@kubernetes/client-node` does the
 * authentication, TLS and transport. Its methods per kind have no time limit and its `Watch` has a fixed one, so the
 * few verbs stand here once, for every kind.
 */
export async function createKubeClient(
  config: KubeConfig,
  { requestTimeoutMs = 15_000 }: KubeClientOptions = {},
): Promise<KubeClient> {
  // Loaded on use: commands that need no cluster start without it.
  const { HttpMethod, IsomorphicFetchHttpLibrary, RequestContext } = await import('@kubernetes/client-node');
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new ApiError('unreachable', 'the kubeconfig names no cluster');
  const { server } = cluster;
  const http = new IsomorphicFetchHttpLibrary();

  interface Request {
    readonly method?: keyof typeof HttpMethod;
    readonly query?: Readonly<Record<string, string | undefined>>;
    readonly body?: object;
    readonly contentType?: string;
    readonly signal?: AbortSignal | undefined;
  }

  const request = async <T>(what: string, path: string, options: Request = {}): Promise<T> => {
    const { method = 'GET', query = {}, body, contentType = 'application/json', signal } = options;
    const context = new RequestContext(`${server}${path}`, HttpMethod[method]);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) context.setQueryParam(name, value);
    }
    context.setHeaderParam('Accept', 'application/json');
    if (body !== undefined) {
      context.setHeaderParam('Content-Type', contentType);
      context.setBody(JSON.stringify(body));
    }
    const limit = AbortSignal.timeout(requestTimeoutMs);
    context.setSignal(signal === undefined ? limit : AbortSignal.any([signal, limit]));
    let status: number;
    let text: string;
    try {
      await config.applySecurityAuthentication(context);
      const answer = await http.send(context).toPromise();
      status = answer.httpStatusCode;
      text = await answer.body.text();
    } catch (error) {
      throw errorOfFailure(what, error);
    }
    if (status < 200 || status > 299) throw errorOfAnswer(what, status, text);
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      throw new ApiError('server', `${what}: the answer is no JSON`, { cause: error });
    }
  };

  return {
    server,

    async list(resource, scope = {}, signal) {
      const items: KubeObject[] = [];
      let page: RawList;
      let next: string | undefined;
      do {
        page = await request<RawList>(
          `list ${resource.plural}`,
          pathOf(resource, { namespace: scope.namespace }),
          {
            query: { ...selectorsOf(scope), limit: String(pageSize), continue: next },
            signal,
          },
        );
        // Items of a list come without the two fields that say what they are.
        for (const item of page.items) {
          items.push({ ...item, apiVersion: resource.apiVersion, kind: resource.kind });
        }
        next = page.metadata.continue === '' ? undefined : page.metadata.continue;
      } while (next !== undefined);
      return { items, resourceVersion: page.metadata.resourceVersion };
    },

    async watch(resource, scope, { resourceVersion, timeoutSeconds, idleMs, signal, onOpen, onEvent }) {
      const what = `watch ${resource.plural}`;
      const context = new RequestContext(
        `${server}${pathOf(resource, { namespace: scope.namespace })}`,
        HttpMethod.GET,
      );
      for (const [name, value] of Object.entries({
        ...selectorsOf(scope),
        watch: 'true',
        resourceVersion,
        timeoutSeconds: String(timeoutSeconds),
        allowWatchBookmarks: 'true',
      })) {
        if (value !== undefined) context.setQueryParam(name, value);
      }
      const idle = new AbortController();
      const timer = setTimeout(() => {
        idle.abort(new DOMException('nothing came for too long', 'TimeoutError'));
      }, idleMs);
      context.setSignal(AbortSignal.any([signal, idle.signal]));
      let isOpen = false;
      try {
        await config.applySecurityAuthentication(context);
        const answer = await http.send(context).toPromise();
        if (answer.httpStatusCode !== 200)
          throw errorOfAnswer(what, answer.httpStatusCode, await answer.body.text());
        isOpen = true;
        onOpen?.();
        for await (const { type, object } of eventsOf(answer.body.stream(), () => timer.refresh()))
          onEvent(type, object);
        return 'ended';
      } catch (error) {
        if (isOpen && idle.signal.aborted && !signal.aborted) return 'idle';
        throw errorOfFailure(what, error);
      } finally {
        clearTimeout(timer);
      }
    },

    async get(resource, key) {
      try {
        return await request<KubeObject>(`get ${describe(resource, key)}`, pathOf(resource, key));
      } catch (error) {
        if (isApiError(error, 'not-found')) return undefined;
        throw error;
      }
    },

    create: (resource, object) =>
      request(
        `create ${describe(resource, object.metadata)}`,
        pathOf(resource, { namespace: object.metadata.namespace }),
        { method: 'POST', body: object },
      ),

    replace: (resource, object) =>
      request(`update ${describe(resource, object.metadata)}`, pathOf(resource, keyOf(object)), {
        method: 'PUT',
        body: object,
      }),

    patch: (resource, key, type, patch) =>
      request(`patch ${describe(resource, key)}`, pathOf(resource, key), {
        method: 'PATCH',
        body: patch,
        contentType: patchTypes[type],
        query: { fieldManager: 'mirrorgate' },
      }),

    async remove(resource, key) {
      try {
        await request(`delete ${describe(resource, key)}`, pathOf(resource, key), { method: 'DELETE' });
      } catch (error) {
        if (!isApiError(error, 'not-found')) throw error;
      }
    },
  };
}

interface RawList {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly KubeObject[];
}

function selectorsOf({ labelSelector, name }: ListScope): {
  labelSelector: string | undefined;
  fieldSelector: string | undefined;
} {
  return { labelSelector, fieldSelector: name === undefined ? undefined : `metadata.name=${name}` };
}

function keyOf({ metadata: { namespace, name } }: KubeObject): ObjectKey {
  return { namespace, name };
}

function describe({ kind }: ApiResource, { namespace, name }: ObjectKey): string {
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

interface WatchEvent {
  readonly type: WatchEventType;
  readonly object: KubeObject;
}

/** The events of a watch: one JSON object a line. */
async function* eventsOf(
  body: ReadableStream<Uint8Array> | null,
  onBytes: () => void,
): AsyncGenerator<WatchEvent> {
  if (body === null) return;
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of body) {
    onBytes();
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield JSON.parse(line) as WatchEvent;
  }
}
