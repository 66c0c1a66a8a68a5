/** The cluster pull secret (`.dockerconfigjson`) as a look-up from a location to the header that opens it. */
import { z } from 'zod';
import { groupBy } from '../mirrors/group-by.js';
import { compareText } from '../mirrors/mirror-set.js';
import { formatReference, parseReference, type Reference } from '../mirrors/reference.js';
import { parseCredential, type ParsedCredential } from './credential.js';
import type { RenderingFinding } from './rendering-finding.js';

/** Credentials by location. Secret material. */
export interface PullSecret {
  /**
   * The value of the `Authorization` header (`Basic …`) for a registry, or for a path on it: that of the most specific
   * key that covers all of `location`. When that key's entry is unusable there is none, rather than a less specific
   * credential: the more specific key says that the other is not meant for this path, and a wrong credential would be
   * sent on every pull, where none at all still works for public content.
   */
  credentialFor(location: Reference): string | undefined;
  /** What could not be used, sorted by key; never with a value. */
  readonly findings: readonly RenderingFinding[];
}

export const noCredentials: PullSecret = { credentialFor: () => undefined, findings: [] };

const documentSchema = z.object({ auths: z.record(z.string(), z.unknown()) });

const longestShown = 80;

/**
 * Reads the content of a `.dockerconfigjson`. Never throws: a document that is not one gives no credentials and one
 * finding.
 */
export function parsePullSecret(dockerconfigjson: string): PullSecret {
  const auths = readAuths(dockerconfigjson);
  if (auths === undefined) {
    const message =
      'the pull secret is not a .dockerconfigjson with an "auths" object: no credentials are rendered; correct the secret';
    return { ...noCredentials, findings: [{ code: 'pull-secret-malformed', message }] };
  }

  const entries = Object.entries(auths)
    .map(([key, value]) => ({ key, location: locationOfKey(key), credential: parseCredential(value) }))
    .sort((left, right) => compareText(left.key, right.key));

  const findings = entries.flatMap(({ key, location, credential }) => {
    if (location === undefined)
      return unusable(key, 'is not named after host[:port][/path], so that it covers nothing');
    return credential.ok ? [] : unusable(key, `${credential.fault}; what it covers is pulled without`);
  });

  const byLocation = new Map(
    [...groupBy(entries, ({ location }) => location)].flatMap(([location, rivals]) =>
      location === undefined ? [] : [[location, preferred(location, rivals)] as const],
    ),
  );
  return { credentialFor: (location) => lookUp(byLocation, location), findings };
}

interface NamedCredential {
  readonly key: string;
  readonly credential: ParsedCredential;
}

/** The `auths` of a document, or `undefined`; what is wrong is not said, since a parser's message quotes what it read. */
function readAuths(text: string): Readonly<Record<string, unknown>> | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = documentSchema.safeParse(document);
  return parsed.success ? parsed.data.auths : undefined;
}

/**
 * The location that a key of `auths` names, as text. Keys are `host[:port][/path]`; one with a scheme or a slash at its
 * end was written as an address, and a first segment `v1` or `v2` is then the API's version and no namespace
 * (`https://index.docker.io/v1/`, the key of Docker Hub).
 */
function locationOfKey(key: string): string | undefined {
  const withoutScheme = key.replace(/^https?:\/\//i, '');
  const trimmed = withoutScheme.endsWith('/') ? withoutScheme.slice(0, -1) : withoutScheme;
  const isAddress = trimmed !== key;

  const parsed = parseReference(trimmed, { wildcard: false });
  if (!parsed.ok) return undefined;
  const [first, ...rest] = parsed.reference.path;
  const path = isAddress && (first === 'v1' || first === 'v2') ? rest : parsed.reference.path;
  return canonicalLocation({ ...parsed.reference, path });
}

/** Docker Hub has three names and one set of accounts. */
const dockerHubHosts = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];

function canonicalLocation(location: Reference): string {
  const isDockerHub = location.port === undefined && dockerHubHosts.includes(location.host);
  return formatReference(isDockerHub ? { ...location, host: 'docker.io' } : location);
}

/** Of several keys for one location: a usable one first, then the one written as its location is, then by text. */
function preferred(location: string, rivals: readonly NamedCredential[]): ParsedCredential | undefined {
  const usable = rivals.filter(({ credential }) => credential.ok);
  return (usable.find(({ key }) => key === location) ?? usable[0] ?? rivals[0])?.credential;
}

function lookUp(
  byLocation: ReadonlyMap<string, ParsedCredential | undefined>,
  location: Reference,
): string | undefined {
  for (let length = location.path.length; length >= 0; length -= 1) {
    const found = byLocation.get(canonicalLocation({ ...location, path: location.path.slice(0, length) }));
    if (found !== undefined) return found.ok ? found.authorization : undefined;
  }
  return undefined;
}

function unusable(key: string, what: string): RenderingFinding[] {
  // A key may be an address with a user and password before the host.
  const withoutUser = key.slice(key.lastIndexOf('@') + 1);
  const shown = withoutUser.length <= longestShown ? withoutUser : `${withoutUser.slice(0, longestShown)}…`;
  const message = `the pull secret's entry ${JSON.stringify(shown)} ${what}`;
  return [{ code: 'credential-unusable', key: shown, message }];
}
