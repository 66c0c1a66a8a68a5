/**
 * The merged registry view: what all mirror sets together mean for containerd on Windows, which knows one
 * configuration per registry host and nothing finer.
 */
import { groupBy } from './group-by.js';
import { mergeOrders } from './merge-order.js';
import { indexMirrorSets, type MirrorSetIndex } from './mirror-set-index.js';
import {
  compareText,
  isLinuxOnly,
  type MirrorSet,
  type MirrorSetKind,
  type ValidEntry,
} from './mirror-set.js';
import { alignMirror, apiRegistryOf, sameReference } from './naming.js';
import { registryOf, type Reference } from './reference.js';
import { remember } from './remember.js';

export interface ViewOptions {
  /**
   * What to do with a mirror that breaks the naming rule: `shorten` takes its path without the longest suffix it
   * shares with the source's (as WMCO does), `omit` leaves the mirror out.
   */
  readonly naming: 'shorten' | 'omit';
  /** Sources that only Linux nodes use: entries at or below them do not reach Windows. */
  readonly linuxOnlySources: readonly Reference[];
}

/** All that one `hosts.toml` says, before credentials and insecure registries. */
export interface RegistryConfig {
  /** The source registry; its path is empty. */
  readonly registry: Reference;
  /** Some entry of this registry says `NeverContactSource`: on Windows that holds for the whole registry. */
  readonly neverContact: boolean;
  /** In the order in which a node tries them. */
  readonly hosts: readonly HostEntry[];
  /** Groups of host entry keys that the lists order in circles. */
  readonly orderConflicts: readonly (readonly string[])[];
}

/** One `[host."…"]` table: a registry and a path prefix that is put before every repository path asked for. */
export interface HostEntry {
  /** `registry/prefix`, with docker.io's API host: unique within a registry config. */
  readonly key: string;
  /** Mirror registry and prefix as one reference, under the registry's own name (`docker.io`, not its API host). */
  readonly location: Reference;
  /** A tag may be resolved here (an ITMS asked for it); pulling by digest is always allowed. */
  readonly resolve: boolean;
  /** Where it came from, in merge order; never empty. */
  readonly origins: readonly Origin[];
}

/** The mirror of an entry that a host entry stands for. */
export interface Origin {
  readonly kind: MirrorSetKind;
  readonly name: string;
  /** Field path of the mirror: `spec.imageDigestMirrors[0].mirrors[1]`. */
  readonly path: string;
  readonly source: Reference;
  readonly mirror: Reference;
  /** The naming rule holds for source and mirror. */
  readonly exact: boolean;
}

/** Merges mirror sets, given in any order, into one config per source registry, sorted by registry. */
export function mergeRegistries(sets: readonly MirrorSet[], options: ViewOptions): RegistryConfig[] {
  const index = indexMirrorSets(sets);
  return [...index.registries()]
    .sort(compareText)
    .flatMap((registry) => registryConfig(index, registry, options) ?? []);
}

/** The config of one registry; `undefined` when no entry has an effect on it, and containerd goes to the source. */
export function registryConfig(
  index: MirrorSetIndex,
  registry: string,
  options: ViewOptions,
): RegistryConfig | undefined {
  return configOf(index.entriesOf(registry))(options);
}

const configOf = remember((all: readonly ValidEntry[]) =>
  remember((options: ViewOptions) => mergeEntries(windowsEntries(all, options), options)),
);

function mergeEntries(entries: readonly ValidEntry[], options: ViewOptions): RegistryConfig | undefined {
  const [first] = entries;
  if (first === undefined) return undefined;

  const source = { ...first.source, path: [] };
  const neverContact = entries.some((entry) => entry.policy === 'NeverContactSource');
  const placed = entries.map((entry) => placeMirrors(entry, options.naming));
  const order = mergeOrders(placed.map((mirrors) => mirrors.map(({ key }) => key)));
  const byKey = groupBy(placed.flat(), ({ key }) => key);

  const hosts = order.order
    // A mirror that comes to the source's own address would contact it, whatever it was meant to be.
    .filter((key) => !(neverContact && key === apiRegistryOf(source)))
    .flatMap((key) => toHostEntry(key, byKey.get(key) ?? []));

  return { registry: source, neverContact, hosts, orderConflicts: order.conflicts };
}

/** The entries that reach Windows nodes: not Linux-only, not a wildcard, with a mirror other than their own source. */
export function windowsEntries(entries: readonly ValidEntry[], options: ViewOptions): readonly ValidEntry[] {
  return windowsEntriesOf(entries)(options);
}

const windowsEntriesOf = remember((entries: readonly ValidEntry[]) =>
  remember((options: ViewOptions) => entries.filter((entry) => reachesWindows(entry, options))),
);

/** What `windowsEntries` lets through, for whoever asks about few of many entries. */
export function reachesWindows(
  entry: ValidEntry,
  { linuxOnlySources }: Pick<ViewOptions, 'linuxOnlySources'>,
): boolean {
  return (
    !entry.source.wildcard && hasRealMirror(entry) && !isLinuxOnly(entry.set, entry.source, linuxOnlySources)
  );
}

/** True when some mirror is not the source itself. An entry without one has no effect, its policy included. */
export function hasRealMirror(entry: Pick<ValidEntry, 'source' | 'mirrors'>): boolean {
  return entry.mirrors.some(({ reference }) => !sameReference(reference, entry.source));
}

/** The host entry that a mirror comes to on Windows. */
export function hostEntryLocation(
  source: Reference,
  mirror: Reference,
): { key: string; location: Reference } {
  const location = { ...mirror, path: alignMirror(source, mirror).prefix };
  return { key: [apiRegistryOf(location), ...location.path].join('/'), location };
}

interface PlacedMirror {
  readonly key: string;
  readonly location: Reference;
  readonly origin: Origin;
}

function placeMirrors(entry: ValidEntry, naming: ViewOptions['naming']): PlacedMirror[] {
  return entry.mirrors.flatMap(({ path, reference }) => {
    const { exact } = alignMirror(entry.source, reference);
    if (!exact && naming === 'omit') return [];
    const origin: Origin = {
      kind: entry.set.kind,
      name: entry.set.name,
      path,
      source: entry.source,
      mirror: reference,
      exact,
    };
    return [{ ...hostEntryLocation(entry.source, reference), origin }];
  });
}

function toHostEntry(key: string, placed: readonly PlacedMirror[]): HostEntry[] {
  const [first] = placed;
  if (first === undefined) return [];
  return [
    {
      key,
      location: first.location,
      resolve: placed.some(({ origin }) => origin.kind === 'ImageTagMirrorSet'),
      origins: placed.map(({ origin }) => origin),
    },
  ];
}

/** `host[:port]` of a config's registry. */
export function registryName(config: Pick<RegistryConfig, 'registry'>): string {
  return registryOf(config.registry);
}
