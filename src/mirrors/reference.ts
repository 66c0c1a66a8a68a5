/**
 * References: `host[:port][/path]`, the values of `source` and `mirrors` in a mirror set. The grammar is that of
 * the `ImageDigestMirrorSet` and `ImageTagMirrorSet` CRDs (config.openshift.io/v1). It is parsed by hand in linear
 * time: the CRD's own pattern backtracks exponentially in JavaScript.
 */

/** A parsed reference. Compare with {@link formatReference} or segment by segment, never by string prefix. */
export interface Reference {
  /** True for a `*.domain` source; `host` is then the part after `*.`. */
  readonly wildcard: boolean;
  /** Host name, folded to lower case: names are compared case-insensitively, and a Windows directory folds them anyway. */
  readonly host: string;
  /** Digits as written, without the colon; `undefined` when there is no port. */
  readonly port: string | undefined;
  /** Path segments; empty for a whole registry. */
  readonly path: readonly string[];
}

/** The outcome of parsing: a reference, or a sentence that says what was found and what is expected. */
export type ParsedReference =
  { readonly ok: true; readonly reference: Reference } | { readonly ok: false; readonly fault: string };

export interface ParseReferenceOptions {
  /** Accept `*.domain`, which only a source may be. */
  readonly wildcard: boolean;
}

const longestShown = 80;

/**
 * Parses one reference. Never throws; takes time linear in the length of `text`.
 *
 * @example parseReference('quay.io:443/org/image', { wildcard: false })
 */
export function parseReference(text: string, options: ParseReferenceOptions): ParsedReference {
  if (text === '') return fault('is empty; expected host[:port][/path], for example quay.io/org/image');

  const scheme = /^[a-zA-Z][a-zA-Z0-9+.-]{0,15}:\/\//.exec(text);
  if (scheme !== null) return fault(`has a scheme (${scheme[0]}); expected host[:port][/path] without one`);

  const at = text.indexOf('@');
  if (at !== -1)
    return fault(`has a digest (${shorten(text.slice(at))}); expected host[:port][/path] without one`);

  const slash = text.indexOf('/');
  const authority = slash === -1 ? text : text.slice(0, slash);
  const path = slash === -1 ? [] : text.slice(slash + 1).split('/');

  if (authority.startsWith('*')) return parseWildcard(text, authority, path, options);

  const parsed = parseAuthority(authority);
  if ('fault' in parsed) return fault(parsed.fault);

  const pathFault = findPathFault(path);
  if (pathFault !== undefined) return fault(pathFault);

  return { ok: true, reference: { wildcard: false, host: parsed.host, port: parsed.port, path } };
}

/** The canonical text of a reference: lower-case host, port, path. Equal references give equal texts. */
export function formatReference(reference: Reference): string {
  return [registryOf(reference), ...reference.path].join('/');
}

/** `host[:port]`, or `*.domain`: the registry that a reference belongs to, folded to lower case. */
export function registryOf(reference: Reference): string {
  const host = reference.wildcard ? `*.${reference.host}` : reference.host;
  return reference.port === undefined ? host : `${host}:${reference.port}`;
}

/** The repository path of a reference as text: its segments joined by `/`; empty for a whole registry. */
export function pathOf(reference: Reference): string {
  return reference.path.join('/');
}

/** True when `inner` is `outer` or lies below it, segment by segment, or on a host that the wildcard `outer` matches. */
export function covers(outer: Reference, inner: Reference): boolean {
  if (outer.wildcard) {
    return inner.host.endsWith(`.${outer.host}`) || (inner.wildcard && inner.host === outer.host);
  }
  return (
    !inner.wildcard &&
    outer.host === inner.host &&
    outer.port === inner.port &&
    outer.path.length <= inner.path.length &&
    outer.path.every((segment, index) => segment === inner.path[index])
  );
}

function parseWildcard(
  text: string,
  authority: string,
  path: readonly string[],
  options: ParseReferenceOptions,
): ParsedReference {
  if (!options.wildcard)
    return fault('is a wildcard; only a source may be *.domain, expected host[:port][/path]');
  if (!authority.startsWith('*.') || authority.length === 2) {
    return fault(`starts with "*" but is not *.domain (${shorten(text)})`);
  }
  if (path.length > 0) return fault('is a wildcard with a path; expected *.domain alone');
  const domain = authority.slice(2);
  const parsed = parseAuthority(domain);
  if ('fault' in parsed) return fault(parsed.fault);
  if (parsed.port !== undefined) return fault('is a wildcard with a port; expected *.domain alone');
  return { ok: true, reference: { wildcard: true, host: parsed.host, port: undefined, path: [] } };
}

function parseAuthority(authority: string): { host: string; port: string | undefined } | { fault: string } {
  const colon = authority.indexOf(':');
  const host = colon === -1 ? authority : authority.slice(0, colon);
  const port = colon === -1 ? undefined : authority.slice(colon + 1);

  if (host === '') return { fault: 'has no host; expected host[:port][/path]' };
  for (const label of host.split('.')) {
    if (label === '') return { fault: `has an empty label in its host (${shorten(host)})` };
    if (!/^[a-zA-Z0-9-]+$/.test(label)) {
      return {
        fault: `has a host with other characters than letters, digits, "-" and "." (${shorten(host)})`,
      };
    }
    if (label.startsWith('-') || label.endsWith('-')) {
      return { fault: `has a host label that starts or ends with "-" (${shorten(label)})` };
    }
  }
  if (port !== undefined && !/^[0-9]+$/.test(port)) {
    return {
      fault: `has ":${shorten(port)}" after its host; expected a port number, and a tag is not allowed`,
    };
  }
  return { host: host.toLowerCase(), port };
}

function findPathFault(path: readonly string[]): string | undefined {
  for (const [index, segment] of path.entries()) {
    if (segment === '') {
      return index === path.length - 1
        ? 'ends with "/"; expected a path without an empty segment'
        : 'has an empty path segment ("//")';
    }
    const colon = segment.indexOf(':');
    if (colon !== -1 && index === path.length - 1) {
      return `has a tag (${shorten(segment.slice(colon))}); expected host[:port][/path] without one`;
    }
    if (/[A-Z]/.test(segment)) return `has upper case in its path (${shorten(segment)}); expected lower case`;
    if (!isPathSegment(segment)) {
      return `has a path segment that is not lower-case letters and digits joined by ".", "_", "__" or dashes (${shorten(segment)})`;
    }
  }
  return undefined;
}

/** `[a-z0-9]+` joined by a single `.` or `_`, by `__`, or by any number of `-`. */
function isPathSegment(segment: string): boolean {
  // Split on runs of alphanumerics: what is left in between must be one of the separators.
  if (!/^[a-z0-9]/.test(segment) || !/[a-z0-9]$/.test(segment)) return false;
  return segment.split(/[a-z0-9]+/).every((between) => /^(?:|\.|_|__|-+)$/.test(between));
}

function shorten(text: string): string {
  return text.length <= longestShown ? text : `${text.slice(0, longestShown)}…`;
}

function fault(sentence: string): ParsedReference {
  return { ok: false, fault: sentence };
}
