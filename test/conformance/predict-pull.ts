/**
 * From a pull plan to requests: walks the endpoints of a plan through a world in which it is known what every registry
 * holds, as containerd's resolver and fetcher do. All knowledge of mirror sets is in the plan; what is here is how a
 * client uses a list of endpoints.
 */
import { apiRegistryOf } from '../../src/mirrors/naming.js';
import type { Endpoint, PullPlan } from '../../src/mirrors/pull-plan.js';
import {
  covers,
  formatReference,
  parseReference,
  pathOf,
  registryOf,
  type Reference,
} from '../../src/mirrors/reference.js';
import { addressOf, listenerOf, type Holding, type PullCase } from './pull-case.js';
import type { Listener, Seen } from './registry-front.js';
import type { TinyImage } from './tiny-image.js';

/** What a pull does, in a form that two of the same kind can be compared in. */
export interface PullTrace {
  readonly succeeded: boolean;
  /** Until the last manifest is there everything has one order, over all hosts. */
  readonly manifests: readonly string[];
  /** Config and layer are read at the same time: the requests for each have an order. */
  readonly blobs: Readonly<Record<string, readonly string[]>>;
  /** Failed connections on the way to blobs, sorted: they do not tell for which of them they were. */
  readonly failures: readonly string[];
}

/** Where versions of containerd differ in how they use one and the same list of endpoints. */
export interface ContainerdBehaviour {
  /**
   * What `http://…` with `skip_verify` means. `plain-http`: that and nothing else. `any-tls-then-http`: unverified TLS, and
   * plain HTTP where the port does not speak TLS.
   */
  readonly insecure: 'plain-http' | 'any-tls-then-http';
  /** The last endpoint is asked a second time when it answers with a server error. */
  readonly asksLastAgain: boolean;
}

/** @param series `1.6`, `1.7`, `2.1`, … */
export function behaviourOf(series: string): ContainerdBehaviour {
  return {
    insecure: series === '1.6' ? 'plain-http' : 'any-tls-then-http',
    asksLastAgain: !series.startsWith('1.'),
  };
}

/** Predicts what the pull of a case comes to by its plan. */
export function predictPull(pullCase: PullCase, plan: PullPlan, behaviour: ContainerdBehaviour): PullTrace {
  const { image } = pullCase;
  const endpoints =
    plan.endpoints.length > 0 || !plan.sourceBlocked ? plan.endpoints : nowhere(image.repository);
  const manifests: Seen[] = [];

  // Credentials and insecure registries are told to a node in the file of the registry, and without mirrors there is none.
  const told = plan.sourceBlocked || endpoints.some(({ role }) => role === 'mirror');
  const world = told ? pullCase : { ...pullCase, auths: {}, insecureRegistries: [] };

  const resolver = new Client(world, behaviour);
  const root =
    image.digest === undefined
      ? resolver.ask(
          endpoints.filter(({ resolve }) => resolve),
          { method: 'HEAD', kind: 'manifests', name: image.tag ?? '' },
          manifests,
        )
      : (resolver.ask(endpoints, { method: 'HEAD', kind: 'manifests', name: image.digest }, manifests) ??
        resolver.ask(endpoints, { method: 'HEAD', kind: 'blobs', name: image.digest }, manifests));
  if (root === undefined) return trace(false, manifests, []);

  const fetcher = new Client(world, behaviour);
  const sources = endpoints.filter(({ pull }) => pull);
  for (const { digest } of root.manifests) {
    const found = fetcher.ask(sources, { method: 'GET', kind: 'manifests', name: digest }, manifests);
    if (found === undefined) return trace(false, manifests, []);
  }
  const blobs: Seen[] = [];
  for (const { digest } of root.blobs) {
    const found = fetcher.ask(sources, { method: 'GET', kind: 'blobs', name: digest }, blobs);
    if (found === undefined) throw new Error('a registry that holds a manifest holds its blobs');
  }
  return trace(true, manifests, blobs);
}

/** Brings what was seen at the registries into the form of a prediction. */
export function traceOf(succeeded: boolean, seen: readonly Seen[]): PullTrace {
  const firstBlob = seen.findIndex(isBlobRead);
  if (firstBlob === -1) return trace(succeeded, seen, []);
  // Failed connections that lead to the first blobs belong to them, not to the manifest before.
  let end = firstBlob;
  while (end > 0 && seen[end - 1]?.kind === 'failure') end -= 1;
  return trace(succeeded, seen.slice(0, end), seen.slice(end));
}

/** The registries contacted, each once, in the order of their first contact: `host:port`. */
export function contactedIn(seen: readonly Seen[]): string[] {
  return [...new Set(seen.map(({ at }) => at.replace(/^https?:\/\//, '')))];
}

function trace(succeeded: boolean, manifests: readonly Seen[], blobs: readonly Seen[]): PullTrace {
  const byBlob = new Map<string, string[]>();
  for (const seen of blobs) {
    if (seen.kind === 'failure') continue;
    const digest = /sha256:[0-9a-f]{64}/.exec(seen.target)?.[0] ?? '';
    byBlob.set(digest, [...(byBlob.get(digest) ?? []), formatSeen(seen)]);
  }
  return {
    succeeded,
    manifests: manifests.map(formatSeen),
    blobs: Object.fromEntries([...byBlob].sort(([left], [right]) => (left < right ? -1 : 1))),
    failures: blobs
      .filter(({ kind }) => kind === 'failure')
      .map(formatSeen)
      .sort(),
  };
}

/** `HEAD https://m.io:443/v2/a/manifests/1?ns=q.io → 200`, with the `Authorization` where there was one. */
export function formatSeen(seen: Seen): string {
  if (seen.kind === 'failure') return `${seen.at} → ${seen.why}`;
  const { method, at, target, status, authorization } = seen;
  return `${method} ${at}${target} → ${status}${authorization === undefined ? '' : ` with ${authorization}`}`;
}

function isBlobRead(seen: Seen): boolean {
  return seen.kind === 'request' && seen.method === 'GET' && seen.target.includes('/blobs/');
}

interface Question {
  readonly method: 'HEAD' | 'GET';
  readonly kind: 'manifests' | 'blobs';
  /** A tag or a digest. */
  readonly name: string;
}

/** One client of all endpoints: containerd makes one to resolve, and one to fetch. */
class Client {
  readonly #pullCase: PullCase;
  readonly #behaviour: ContainerdBehaviour;
  /** Endpoints that turned out to speak plain HTTP on their port; they are not asked for TLS again. */
  readonly #plain = new Set<Endpoint>();

  constructor(pullCase: PullCase, behaviour: ContainerdBehaviour) {
    this.#pullCase = pullCase;
    this.#behaviour = behaviour;
  }

  /** Asks one endpoint after the other until one has it; all that happens is added to `seen`. */
  ask(endpoints: readonly Endpoint[], question: Question, seen: Seen[]): TinyImage | undefined {
    for (const endpoint of endpoints) {
      const reached = this.#reach(endpoint, seen);
      if (reached === undefined) continue;
      const { repository } = endpoint;
      const { method, kind, name } = question;
      const authorization = expectedAuthorization(this.#pullCase, endpoint);
      const found = held(this.#pullCase.holdings, repository, question);
      const status = statusOf(reached.listener, authorization, found);
      const request: Seen = {
        kind: 'request',
        at: reached.at,
        method,
        target: `/v2/${pathOf(repository)}/${kind}/${name}${this.#namespaceQuery(repository)}`,
        authorization,
        status,
      };
      seen.push(request);
      if (status === 200) return found;
      if (status >= 500 && endpoint === endpoints.at(-1) && this.#behaviour.asksLastAgain) seen.push(request);
    }
    return undefined;
  }

  #reach(endpoint: Endpoint, seen: Seen[]): { readonly at: string; readonly listener: Listener } | undefined {
    if (!isInsecure(this.#pullCase, endpoint)) return this.#connect(endpoint, 'https', ['tls'], seen);
    if (this.#behaviour.insecure === 'plain-http' || this.#plain.has(endpoint)) {
      return this.#connect(endpoint, 'http', ['http'], seen);
    }
    const overTls = this.#connect(endpoint, 'https', ['tls', 'untrusted'], seen);
    if (overTls !== undefined) return overTls;
    const { host, port } = addressOf(endpoint.repository);
    if (listenerOf(this.#pullCase, host, port).speaks !== 'http') return undefined;
    this.#plain.add(endpoint);
    return this.#connect(endpoint, 'http', ['http'], seen);
  }

  #connect(
    { repository }: Endpoint,
    scheme: 'http' | 'https',
    understood: readonly Listener['speaks'][],
    seen: Seen[],
  ): { readonly at: string; readonly listener: Listener } | undefined {
    const { host, port } = addressOf(repository, scheme);
    const listener = listenerOf(this.#pullCase, host, port);
    if (understood.includes(listener.speaks)) return { at: `${scheme}://${host}:${port}`, listener };
    const why = listener.speaks === 'closed' ? 'refused' : 'tls';
    seen.push({ kind: 'failure', at: `${host}:${port}`, why });
    return undefined;
  }

  /** A registry that is asked in another's place is told whose: it may be a proxy of several. */
  #namespaceQuery(repository: Reference): string {
    const source = this.#pullCase.image.repository;
    const isItself = apiRegistryOf(repository) === apiRegistryOf(source);
    return isItself ? '' : `?ns=${encodeURIComponent(registryOf(source))}`;
  }
}

function statusOf(listener: Listener, authorization: string | undefined, found: unknown): number {
  if (listener.status !== undefined) return listener.status;
  if (listener.authorization !== undefined && listener.authorization !== authorization) return 401;
  return found === undefined ? 404 : 200;
}

function held(
  holdings: readonly Holding[],
  repository: Reference,
  { kind, name }: Question,
): TinyImage | undefined {
  // docker.io and its API host are one registry.
  const addressed = (reference: Reference) => `${apiRegistryOf(reference)}/${pathOf(reference)}`;
  return holdings
    .filter((holding) => addressed(holding.repository) === addressed(repository))
    .findLast(
      ({ tag, image }) =>
        (kind === 'manifests' && tag === name) || image[kind].some(({ digest }) => digest === name),
    )?.image;
}

function isInsecure(pullCase: PullCase, endpoint: Endpoint): boolean {
  const location = locationOf(pullCase, endpoint);
  return pullCase.insecureRegistries.some((text) => {
    const parsed = parseReference(text, { wildcard: true });
    return parsed.ok && covers(parsed.reference, location);
  });
}

/**
 * The pull secret's entry with the longest key that covers the registry and prefix of an endpoint. Written apart from
 * what renders the header, which is what this is compared with.
 */
function expectedAuthorization(pullCase: PullCase, endpoint: Endpoint): string | undefined {
  const byAddress = new Map(Object.entries(pullCase.auths).map(([key, value]) => [withApiHost(key), value]));
  const segments = withApiHost(formatReference(locationOf(pullCase, endpoint))).split('/');
  for (let length = segments.length; length > 0; length -= 1) {
    const credential = byAddress.get(segments.slice(0, length).join('/'));
    if (credential !== undefined) return `Basic ${Buffer.from(credential).toString('base64')}`;
  }
  return undefined;
}

/** docker.io and its API host share their accounts. */
function withApiHost(location: string): string {
  return location.replace(/^docker\.io(?=\/|$)/, 'registry-1.docker.io');
}

/** Registry and prefix: what of an endpoint's repository is not the image's own path. */
function locationOf({ image }: PullCase, { repository }: Endpoint): Reference {
  return {
    ...repository,
    path: repository.path.slice(0, repository.path.length - image.repository.path.length),
  };
}

/** A forbidden source without a mirror: the file names, as mirror and in the source's place, what is never reached. */
function nowhere(repository: Reference): Endpoint[] {
  const endpoint: Endpoint = {
    role: 'mirror',
    repository: { ...repository, host: 'mirrorgate.invalid', port: undefined },
    resolve: false,
    pull: true,
    origins: [],
  };
  return [endpoint, endpoint];
}
