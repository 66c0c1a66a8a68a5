import type { KubeObject } from './kube-object.js';

/**
 * Objects of one kind by `namespace/name`, or by `name` where the kind has no namespaces. A map that was handed out
 * never changes: after a change there is another one, so that one can tell by its identity. An object that did not
 * change stays the same one.
 */
export class ObjectCache {
  #objects: Map<string, KubeObject> | undefined;
  /** Somebody has `#objects`: the next change needs a new map. */
  #handedOut = false;

  /** `undefined` until `replaceAll` was called. */
  current(): ReadonlyMap<string, KubeObject> | undefined {
    this.#handedOut = true;
    return this.#objects;
  }

  isFilled(): boolean {
    return this.#objects !== undefined;
  }

  /** @returns whether anything changed */
  put(object: KubeObject): boolean {
    const key = keyOf(object);
    const known = this.#objects?.get(key);
    if (known !== undefined && isSame(known, object)) return false;
    this.#writable().set(key, object);
    return true;
  }

  /** @returns whether anything changed */
  drop(object: KubeObject): boolean {
    const key = keyOf(object);
    if (this.#objects?.has(key) !== true) return false;
    this.#writable().delete(key);
    return true;
  }

  /** @returns whether anything changed */
  replaceAll(objects: readonly KubeObject[]): boolean {
    const before = this.#objects;
    const after = new Map<string, KubeObject>();
    let differs = before?.size !== objects.length;
    for (const object of objects) {
      const key = keyOf(object);
      const known = before?.get(key);
      const isKnown = known !== undefined && isSame(known, object);
      after.set(key, isKnown ? known : object);
      differs ||= !isKnown;
    }
    if (!differs) return false;
    this.#objects = after;
    this.#handedOut = false;
    return true;
  }

  #writable(): Map<string, KubeObject> {
    if (this.#handedOut || this.#objects === undefined) this.#objects = new Map(this.#objects);
    this.#handedOut = false;
    return this.#objects;
  }
}

function keyOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function isSame(a: KubeObject, b: KubeObject): boolean {
  return a.metadata.uid === b.metadata.uid && a.metadata.resourceVersion === b.metadata.resourceVersion;
}
