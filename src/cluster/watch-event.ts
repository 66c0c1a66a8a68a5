import { ApiError, errorOfAnswer } from './api-error.js';
import type { ObjectList, WatchEventType } from './kube-client.js';
import type { KubeObject } from './kube-object.js';

/** What one event of a watch says. */
export type WatchStep =
  | { readonly type: 'put' | 'drop'; readonly object: KubeObject; readonly version: string }
  | { readonly type: 'bookmark'; readonly version: string }
  /** The server says that the watch cannot go on: from `version` on it may later. */
  | { readonly type: 'refused'; readonly error: ApiError }
  /** The event cannot be understood: what it would have said is in the next list. */
  | { readonly type: 'malformed'; readonly error: ApiError };

/**
 * Reads an event of a watch; nothing about its shape is taken for granted.
 *
 * @param what the watch, for messages: `watch nodes`
 */
export function readWatchEvent(what: string, type: WatchEventType, object: KubeObject): WatchStep {
  if (type === 'ERROR') return { type: 'refused', error: errorOfStatus(what, object) };
  const version = versionOf(object);
  const malformed = (why: string): WatchStep => ({
    type: 'malformed',
    error: new ApiError('server', `${what}: ${why}`),
  });
  if (version === undefined) return malformed(`an event of type ${type} without a resourceVersion`);
  switch (type) {
    case 'BOOKMARK':
      return { type: 'bookmark', version };
    case 'ADDED':
    case 'MODIFIED':
      return isNamed(object) ? { type: 'put', object, version } : malformed(`an object without a name`);
    case 'DELETED':
      return isNamed(object) ? { type: 'drop', object, version } : malformed(`an object without a name`);
    default:
      return malformed('an event of an unknown type');
  }
}

/**
 * The list, if one can believe it.
 *
 * @throws {ApiError} one of its objects has no name or version: leaving it out would say that it is gone
 */
export function checkedList(what: string, list: ObjectList): ObjectList {
  const isWhole = list.items.every((item) => isNamed(item) && versionOf(item) !== undefined);
  if (!isWhole) throw new ApiError('server', `${what}: an object in the list has no name or resourceVersion`);
  if (!isText(list.resourceVersion)) throw new ApiError('server', `${what}: the list has no resourceVersion`);
  return list;
}

/** The error that a `Status` (meta/v1) in an event tells. */
function errorOfStatus(what: string, status: unknown): ApiError {
  const { code, reason } = isRecord(status) ? status : {};
  const isGone = reason === 'Expired' || reason === 'Gone';
  const httpStatus = typeof code === 'number' ? code : isGone ? 410 : 500;
  return errorOfAnswer(what, httpStatus, JSON.stringify(status));
}

function versionOf(object: unknown): string | undefined {
  const version = metadataOf(object)['resourceVersion'];
  return isText(version) ? version : undefined;
}

function isNamed(object: unknown): boolean {
  return isText(metadataOf(object)['name']);
}

function metadataOf(object: unknown): Record<string, unknown> {
  const metadata = isRecord(object) ? object['metadata'] : undefined;
  return isRecord(metadata) ? metadata : {};
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
