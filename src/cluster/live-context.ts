import type { MirrorSetSnapshot, MirrorSetSource } from '../controller/sources.js';
import {
  noInsecureRegistries,
  parseInsecureRegistries,
  type InsecureRegistries,
} from '../mirrors/insecure-registries.js';
import { indexMirrorSets, type MirrorSetIndex } from '../mirrors/mirror-set-index.js';
import { remember } from '../mirrors/remember.js';

/** What the webhook judges by. */
export interface LiveContext {
  /** Every mirror set there is; `undefined` before the first sync. */
  index(): MirrorSetIndex | undefined;
  insecure(): InsecureRegistries;
}

/**
 * The newest that is known of the cluster, with no wait for quiet: a set that was created a moment ago counts for the
 * next one. Worked out once per change, when it is asked for.
 */
export function liveContext(source: MirrorSetSource): LiveContext {
  const indexOf = remember(({ sets }: MirrorSetSnapshot) => indexMirrorSets(sets));
  const insecureOf = remember(
    ({ insecureRegistries }: MirrorSetSnapshot) => parseInsecureRegistries(insecureRegistries).registries,
  );
  return {
    index() {
      const snapshot = source.current();
      return snapshot === undefined ? undefined : indexOf(snapshot);
    },
    insecure() {
      const snapshot = source.current();
      return snapshot === undefined ? noInsecureRegistries : insecureOf(snapshot);
    },
  };
}
