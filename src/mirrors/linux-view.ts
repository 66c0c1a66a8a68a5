/**
 * What mirror sets mean on Linux nodes, as the Machine Config Operator writes them to registries.conf: one record per
 * source, with digest-only mirrors (from IDMS) and tag-only mirrors (from ITMS).
 */
import { entriesBySource } from './entries-by-source.js';
import { mergeOrders } from './merge-order.js';
import type { MirrorSetIndex } from './mirror-set-index.js';
import type { MirrorSetKind, ValidEntry } from './mirror-set.js';
import { formatReference, registryOf, type Reference } from './reference.js';

/** One `[[registry]]` of registries.conf. */
export interface LinuxSource {
  readonly source: Reference;
  /** Used for images named by digest, in order. */
  readonly digestMirrors: readonly LinuxMirror[];
  /** Used for images named by tag, in order. */
  readonly tagMirrors: readonly LinuxMirror[];
  /** Some entry says `NeverContactSource`. */
  readonly blocked: boolean;
}

export interface LinuxMirror {
  readonly mirror: Reference;
  readonly kind: MirrorSetKind;
  readonly name: string;
  /** Field path of the mirror in its set. */
  readonly path: string;
}

/** The record of one source; `undefined` when no entry has an effect on it. */
export function linuxSource(index: MirrorSetIndex, source: Reference): LinuxSource | undefined {
  const entries = entriesBySource(index.entriesOf(registryOf(source))).get(formatReference(source));
  if (entries === undefined) return undefined;
  return {
    source,
    digestMirrors: mergeMirrors(source, entries, 'ImageDigestMirrorSet'),
    tagMirrors: mergeMirrors(source, entries, 'ImageTagMirrorSet'),
    blocked: entries.some((entry) => entry.policy === 'NeverContactSource'),
  };
}

/** The most specific source that covers a repository; a longer path wins, and any exact host wins over a wildcard. */
export function mostSpecificSource(index: MirrorSetIndex, repository: Reference): LinuxSource | undefined {
  const { path } = repository;
  const exact = [...path.keys(), path.length]
    .reverse()
    .map((length) => ({ ...repository, path: path.slice(0, length) }));
  for (const candidate of [...exact, ...wildcardsOver(repository)]) {
    const source = linuxSource(index, candidate);
    if (source !== undefined) return source;
  }
  return undefined;
}

function mergeMirrors(source: Reference, entries: readonly ValidEntry[], kind: MirrorSetKind): LinuxMirror[] {
  const mirrors = new Map<string, LinuxMirror>();
  const own = formatReference(source);
  const lists = entries
    .filter((entry) => entry.set.kind === kind)
    .map((entry) => {
      const list = entry.mirrors.map(({ path, reference }) => {
        const key = formatReference(reference);
        if (!mirrors.has(key)) mirrors.set(key, { mirror: reference, kind, name: entry.set.name, path });
        return key;
      });
      // The source comes after every mirror of a list that does not place it.
      return list.includes(own) ? list : [...list, own];
    });
  const { order } = mergeOrders(lists);
  const trimmed = order.at(-1) === own ? order.slice(0, -1) : order;
  return trimmed.flatMap((key) => mirrors.get(key) ?? []);
}

/** `*.example.com`, then `*.com`, for `registry.example.com`. */
function wildcardsOver({ host }: Reference): Reference[] {
  const labels = host.split('.');
  return labels
    .slice(1)
    .map((_, at) => ({ wildcard: true, host: labels.slice(at + 1).join('.'), port: undefined, path: [] }));
}
