import { isDeepStrictEqual } from 'node:util';
import { parseMirrorSet, type SchemaFault } from '../mirrors/mirror-set-schema.js';
import type { Review } from '../policy/evaluate.js';
import { isObject, type JsonObject, type ReviewRequest } from './parse-admission-review.js';

/** What a request comes to once its objects are read. */
export type ReadReview =
  | { readonly type: 'review'; readonly review: Review }
  /** The object's fields do not have the shape that the API gives them: it is denied for that. */
  | { readonly type: 'malformed'; readonly faults: readonly SchemaFault[] }
  /** The same, but it must not be held up: it goes away, or is no worse than before. */
  | { readonly type: 'waived'; readonly because: string; readonly faults: readonly SchemaFault[] };

/**
 * Reads the objects of a request. A malformed one is denied, save where that would only keep it in the cluster: on its
 * deletion, on any update while it is being deleted, and on an update of nothing but metadata. An old object that is
 * malformed excuses nothing: the new one is judged as if there had been none.
 */
export function toReview(request: ReviewRequest): ReadReview {
  const { operation, kind, object, oldObject, requester } = request;
  const subject = operation === 'DELETE' ? oldObject : object;
  const parsed = parseMirrorSet(kind, subject);
  if (!parsed.ok) {
    const because = waiver(request);
    return because === undefined
      ? { type: 'malformed', faults: parsed.faults }
      : { type: 'waived', because, faults: parsed.faults };
  }
  const { set } = parsed;
  if (operation !== 'UPDATE') return { type: 'review', review: { operation, set, requester } };

  const old = parseMirrorSet(kind, oldObject);
  if (old.ok) return { type: 'review', review: { operation, set, old: old.set, requester } };
  return { type: 'review', review: { operation, set, requester, ...(set.deleting && { old: set }) } };
}

function waiver({ operation, object, oldObject }: ReviewRequest): string | undefined {
  if (operation === 'DELETE') return 'it goes away';
  if (operation !== 'UPDATE' || object === undefined || oldObject === undefined) return undefined;
  if (isBeingDeleted(oldObject) && isBeingDeleted(object)) return 'it is being deleted';
  return isDeepStrictEqual(object['spec'], oldObject['spec']) ? 'its spec does not change' : undefined;
}

function isBeingDeleted(object: JsonObject): boolean {
  const { metadata } = object;
  return isObject(metadata) && typeof metadata['deletionTimestamp'] === 'string';
}
