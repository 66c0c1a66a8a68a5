/**
 * What mirror sets mean on Linux nodes, as the Machine Config Operator writes them to registries.conf: one record per
 * source, with digest-only mirrors (from IDMS) and tag-only mirrors (from ITMS).
 */
import { groupBy } from './group-by.js';
import { mergeOrders } from './merge-order.js';
import type { MirrorSetIndex } from './mirror-set-index.js';
import type { MirrorSetKind, ValidEntry } from './mirror-set.js';
import { covers, formatReference, registryOf, type Reference } from './reference.js';
import { hasRealMirror } from './registry-view.js';

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

/**
 * The records of one registry (`host[:port]`, or `*.domain`), by the canonical text of their source.
 *
 * @param isWanted which sources to look at: a registry may have thousands, and each costs a merge
 */
export function linuxSources(
  index: MirrorSetIndex,
  registry: string,
  isWanted: (source: Reference) => boolean = () => true,
): ReadonlyMap<string, LinuxSource> {
  const effective = index
    .entriesOf(registry)
    .filter((entry) => isWanted(entry.source) && hasRealMirror(entry));
  const bySource = groupBy(effective, (entry) => formatReference(entry.source));
  return new Map([...bySource].map(([source, entries]) => [source, linuxSource(entries)]));
}

/** The most specific source that covers a repository; a longer path wins, and any exact host wins over a wildcard. */
export function mostSpecificSource(index: MirrorSetIndex, repository: Reference): LinuxSource | undefined {
  const candidates = [registryOf(repository), ...wildcardsOver(repository)].flatMap((registry) => [
    ...linuxSources(index, registry, (source) => covers(source, repository)).values(),
  ]);
  return candidates.sort(
    (left, right) => formatReference(right.source).length - formatReference(left.source).length,
  )[0];
}

function linuxSource(entries: readonly ValidEntry[]): LinuxSource {
  const [first] = entries;
  if (first === undefined) throw new Error('a Linux source needs at least one entry');
  return {
    source: first.source,
    digestMirrors: mergeMirrors(first.source, entries, 'ImageDigestMirrorSet'),
    tagMirrors: mergeMirrors(first.source, entries, 'ImageTagMirrorSet'),
    blocked: entries.some((entry) => entry.policy === 'NeverContactSource'),
  };
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

/** `*.example.com` and `*.com` for `registry.example.com`. */
function wildcardsOver(repository: Reference): string[] {
  const labels = repository.host.split('.');
  return labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join('.')}`);
}
