import type { KubeObject } from './kube-object.js';

/** The decoded text under a key of a Secret; `undefined` when there is no such key. Secret material. */
export function secretText(secret: KubeObject, key: string): string | undefined {
  const { data } = secret;
  if (typeof data !== 'object' || data === null || !Object.hasOwn(data, key)) return undefined;
  const encoded = (data as Readonly<Record<string, unknown>>)[key];
  return typeof encoded === 'string' ? Buffer.from(encoded, 'base64').toString('utf8') : undefined;
}

/** The keys of a Secret that hold text. */
export function secretKeys({ data }: KubeObject): string[] {
  return typeof data === 'object' && data !== null ? Object.keys(data) : [];
}
