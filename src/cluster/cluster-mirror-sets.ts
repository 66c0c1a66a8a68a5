import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { MirrorSetSnapshot, MirrorSetSource } from '../controller/sources.js';
import { parseMirrorSet, toFault } from '../mirrors/mirror-set-schema.js';
import { compareMirrorSets, keyOf, type MirrorSet, type MirrorSetKind } from '../mirrors/mirror-set.js';
import { deriveSource } from './derive-source.js';
import type { KubeObject } from './kube-object.js';
import { reportFaults, type ObjectFault, type OnObjectFaults } from './object-fault.js';
import type { ObjectSource } from './object-source.js';

export interface ClusterMirrorSetsOptions {
  readonly digestSets: ObjectSource;
  readonly tagSets: ObjectSource;
  /** The cluster image config, named `cluster`. */
  readonly images: ObjectSource;
  readonly onFaults: OnObjectFaults;
}

export interface ClusterMirrorSets extends MirrorSetSource {
  /** The object that a set was read from, in its newest version; `undefined` when there is none (any more). */
  objectOf(set: Pick<MirrorSet, 'kind' | 'name'>): KubeObject | undefined;
}

const imageConfigSchema = z.object({
  spec: z
    .object({ registrySources: z.object({ insecureRegistries: z.array(z.string()).nullish() }).nullish() })
    .nullish(),
});

/** An object, and what it was last read as. */
interface Reading {
  readonly object: KubeObject;
  /** The last good version; `undefined` when there was none. */
  readonly set: MirrorSet | undefined;
  readonly faults: readonly ObjectFault[];
}

/**
 * The mirror sets of the cluster and its insecure registries; unknown until all three kinds are known. A set that did
 * not change stays the same value, so that what was worked out for it holds.
 */
export function clusterMirrorSets({
  digestSets,
  tagSets,
  images,
  onFaults,
}: ClusterMirrorSetsOptions): ClusterMirrorSets {
  let readings: ReadonlyMap<string, Reading> = new Map();
  let insecureRegistries: readonly string[] = [];

  const readAll = (): { snapshot: MirrorSetSnapshot; faults: readonly ObjectFault[] } | undefined => {
    const digests = digestSets.current();
    const tags = tagSets.current();
    const configs = images.current();
    if (digests === undefined || tags === undefined || configs === undefined) return undefined;

    const next = new Map<string, Reading>();
    const read = (kind: MirrorSetKind, objects: Iterable<KubeObject>) => {
      for (const object of objects) {
        const key = keyOf({ kind, name: object.metadata.name });
        next.set(key, readObject(kind, object, readings.get(key)));
      }
    };
    read('ImageDigestMirrorSet', digests.values());
    read('ImageTagMirrorSet', tags.values());
    readings = next;

    const config = readInsecureRegistries(configs.get('cluster'), insecureRegistries);
    insecureRegistries = config.insecureRegistries;
    const all = [...readings.values()];
    return {
      snapshot: {
        sets: all.flatMap(({ set }) => (set === undefined ? [] : [set])).sort(compareMirrorSets),
        complete: all.every(({ set }) => set !== undefined),
        insecureRegistries,
      },
      faults: [...all.flatMap(({ faults }) => faults), ...config.faults],
    };
  };

  const everything = deriveSource([digestSets, tagSets, images], readAll);
  reportFaults(
    deriveSource([everything], () => everything.current()?.faults),
    onFaults,
  );
  const snapshots = deriveSource([everything], () => everything.current()?.snapshot);
  return {
    ...snapshots,
    objectOf(set) {
      snapshots.current();
      return readings.get(keyOf(set))?.object;
    },
  };
}

function readObject(kind: MirrorSetKind, object: KubeObject, before: Reading | undefined): Reading {
  if (before?.object === object) return before;
  const { uid, resourceVersion } = object.metadata;
  const isSameObject = before !== undefined && uid === before.object.metadata.uid;
  if (isSameObject && uid !== undefined && resourceVersion === before.object.metadata.resourceVersion)
    return { ...before, object };

  const parsed = parseMirrorSet(kind, object);
  if (parsed.ok) {
    // Most changes are to annotations and who manages which field.
    const set = isDeepStrictEqual(parsed.set, before?.set) ? before?.set : parsed.set;
    return { object, set, faults: [] };
  }
  // An object of the same name that was made anew is another one: what the old one said does not hold for it.
  const set = isSameObject ? before.set : undefined;
  const meanwhile =
    set === undefined ? 'it cannot be taken into account' : 'its last good version stays in force';
  return {
    object,
    set,
    faults: parsed.faults.map(({ path, message }) => ({
      object: `${kind} ${object.metadata.name}`,
      path,
      message: `${message}; ${meanwhile}`,
    })),
  };
}

function readInsecureRegistries(
  config: KubeObject | undefined,
  before: readonly string[],
): { insecureRegistries: readonly string[]; faults: readonly ObjectFault[] } {
  if (config === undefined) return { insecureRegistries: [], faults: [] };
  const parsed = imageConfigSchema.safeParse(config);
  if (parsed.success)
    return { insecureRegistries: parsed.data.spec?.registrySources?.insecureRegistries ?? [], faults: [] };
  return {
    insecureRegistries: before,
    faults: parsed.error.issues.map(toFault).map(({ path, message }) => ({
      object: 'Image cluster',
      path,
      message: `${message}; the insecure registries last read stay in force`,
    })),
  };
}
