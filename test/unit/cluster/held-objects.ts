import type { KubeObject } from '../../../src/cluster/kube-object.js';
import type { Objects, ObjectSource } from '../../../src/cluster/object-source.js';

/** A source of objects that a test holds in its hand: unknown until objects are put. */
export class HeldObjects implements ObjectSource {
  readonly #listeners = new Set<() => void>();
  #objects: Objects | undefined;

  constructor(...objects: readonly KubeObject[] | readonly [undefined]) {
    if (objects[0] !== undefined || objects.length === 0) this.#objects = byKey(objects as KubeObject[]);
  }

  static unknown(): HeldObjects {
    return new HeldObjects(undefined);
  }

  current(): Objects | undefined {
    return this.#objects;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** All there is from now on. */
  set(...objects: readonly KubeObject[]): void {
    this.#objects = byKey(objects);
    for (const listener of this.#listeners) listener();
  }
}

function byKey(objects: readonly KubeObject[]): Objects {
  return new Map(
    objects.map((object) => {
      const { namespace, name } = object.metadata;
      return [namespace === undefined ? name : `${namespace}/${name}`, object];
    }),
  );
}

/** Counts how often a source says that it has changed. */
export function countChanges(source: { onChange(listener: () => void): () => void }): () => number {
  let count = 0;
  source.onChange(() => {
    count += 1;
  });
  return () => count;
}

/** A Secret as the API gives it. */
export function secret(
  key: { readonly namespace: string; readonly name: string },
  texts: Readonly<Record<string, string>>,
  version: { readonly uid?: string; readonly resourceVersion?: string } = {},
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { ...key, uid: 'secret-1', resourceVersion: '1', ...version },
    type: 'Opaque',
    data: Object.fromEntries(
      Object.entries(texts).map(([name, text]) => [name, Buffer.from(text).toString('base64')]),
    ),
  };
}
