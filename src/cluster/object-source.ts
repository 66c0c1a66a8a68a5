import type { Source } from '../controller/sources.js';
import type { KubeObject, ObjectKey } from './kube-object.js';

/** Objects by `namespace/name`, or by `name` where the kind has no namespaces. */
export type Objects = ReadonlyMap<string, KubeObject>;
/** Objects that are followed: unknown until they were listed, empty when there are none or their kind is not installed. */
export type ObjectSource = Source<Objects>;

/** One object, in a source that follows it. */
export interface NamedObject {
  readonly objects: ObjectSource;
  readonly key: ObjectKey;
}

/** An object as the source knows it: `undefined` while it is not known, `null` when it is not there. */
export function currentObject({ objects, key }: NamedObject): KubeObject | null | undefined {
  const known = objects.current();
  return known === undefined ? undefined : (known.get(formatKey(key)) ?? null);
}

/** `namespace/name` or `name`. */
export function formatKey({ namespace, name }: ObjectKey): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
