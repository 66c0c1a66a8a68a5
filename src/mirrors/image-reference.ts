import { parseReference, type Reference } from './reference.js';

/** An image as a pod names it: a repository with a tag or a digest (a digest wins when both are given). */
export interface ImageReference {
  /** The repository, with Docker's short names spelled out (`nginx` is `docker.io/library/nginx`). */
  readonly repository: Reference;
  readonly tag: string | undefined;
  /** `algorithm:hex`, or `undefined` when the image is named by tag. */
  readonly digest: string | undefined;
}

export type ParsedImage =
  { readonly ok: true; readonly image: ImageReference } | { readonly ok: false; readonly fault: string };

/**
 * Parses an image name the way container runtimes do: no registry means docker.io, one segment there means
 * `library/…`, neither tag nor digest means tag `latest`, and `index.docker.io` is another name of docker.io.
 */
export function parseImage(text: string): ParsedImage {
  const at = text.indexOf('@');
  const digest = at === -1 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !/^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,}$/.test(digest)) {
    return {
      ok: false,
      fault: `has a malformed digest (@${digest.slice(0, 80)}); expected @sha256:<64 hex digits>`,
    };
  }

  const named = at === -1 ? text : text.slice(0, at);
  const lastSlash = named.lastIndexOf('/');
  // A colon before the last slash is a port; with no slash at all it can only be a tag.
  const colon = named.indexOf(':', lastSlash + 1);
  const tag = colon === -1 ? undefined : named.slice(colon + 1);
  if (tag !== undefined && !/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(tag)) {
    return {
      ok: false,
      fault: `has a malformed tag (:${tag.slice(0, 80)}); expected at most 128 of A-Z a-z 0-9 _ . -`,
    };
  }

  const parsed = parseReference(withRegistry(colon === -1 ? named : named.slice(0, colon)), {
    wildcard: false,
  });
  if (!parsed.ok) return parsed;
  if (parsed.reference.path.length === 0) {
    return { ok: false, fault: 'names no repository; expected registry/repository[:tag][@digest]' };
  }
  return {
    ok: true,
    image: {
      repository: parsed.reference,
      tag: tag ?? (digest === undefined ? 'latest' : undefined),
      digest,
    },
  };
}

/** The image as text: repository, tag, digest. */
export function formatTagAndDigest(image: ImageReference): string {
  return (
    (image.tag === undefined ? '' : `:${image.tag}`) + (image.digest === undefined ? '' : `@${image.digest}`)
  );
}

function withRegistry(name: string): string {
  const slash = name.indexOf('/');
  const first = slash === -1 ? '' : name.slice(0, slash);
  const hasRegistry =
    first.includes('.') || first.includes(':') || first === 'localhost' || first !== first.toLowerCase();
  const registry = hasRegistry ? first : 'docker.io';
  const path = hasRegistry ? name.slice(slash + 1) : name;
  if (registry !== 'docker.io' && registry !== 'index.docker.io') return name;
  return `docker.io/${path.includes('/') ? path : `library/${path}`}`;
}
