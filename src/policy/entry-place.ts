import { keyOf, type MirrorSet, type ValidEntry } from '../mirrors/mirror-set.js';

/** Where another entry stands, for a message about `set`: its field path there, or the object that holds it. */
export function entryPlace(entry: Pick<ValidEntry, 'set' | 'path'>, set: MirrorSet): string {
  return keyOf(entry.set) === keyOf(set) ? entry.path : `${entry.set.kind} "${entry.set.name}"`;
}
