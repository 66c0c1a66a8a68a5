import type { ValidEntry } from '../mirrors/mirror-set.js';
import { alignMirror, apiRegistryOf } from '../mirrors/naming.js';
import type { Reference } from '../mirrors/reference.js';
import { hostEntryLocation, type ViewOptions } from '../mirrors/registry-view.js';

/** A mirror of an entry as Windows nodes get it. */
export interface WindowsMirror {
  /** Field path of the mirror. */
  readonly path: string;
  readonly mirror: Reference;
  /** The naming rule holds. */
  readonly exact: boolean;
  /** Key of the host entry that it comes to. */
  readonly key: string;
  /** Registry and prefix of that host entry. */
  readonly location: Reference;
  /** The host entry is the source registry itself: the mirror leads back to the source. */
  readonly isSource: boolean;
}

/** The mirrors of an entry that reach Windows nodes: with `naming: omit`, only those that keep the naming rule. */
export function windowsMirrors(
  { source, mirrors }: Pick<ValidEntry, 'source' | 'mirrors'>,
  { naming }: Pick<ViewOptions, 'naming'>,
): WindowsMirror[] {
  const sourceKey = apiRegistryOf({ ...source, path: [] });
  return mirrors.flatMap(({ path, reference: mirror }) => {
    const { exact } = alignMirror(source, mirror);
    if (!exact && naming === 'omit') return [];
    const { key, location } = hostEntryLocation(source, mirror);
    return [{ path, mirror, exact, key, location, isSource: key === sourceKey }];
  });
}
