import type { Source } from '../controller/sources.js';
import { isApiError } from './api-error.js';
import type { KubeClient } from './kube-client.js';
import { resources, type KubeObject } from './kube-object.js';

export interface CertSecretOptions {
  readonly client: Pick<KubeClient, 'create' | 'replace'>;
  /** Shows the Secret, and possibly others. */
  readonly reflector: Source<ReadonlyMap<string, KubeObject>>;
  readonly namespace: string;
  readonly name: string;
}

/** The data of a Secret, as text. Secret material. */
export interface SecretContent {
  readonly data: Readonly<Record<string, string>>;
  /** The Secret's `resourceVersion`. */
  readonly version: string;
}

/** A Secret as a place for certificates: what the managed certificates of `serving` expect of their store. */
export interface CertSecret {
  readonly name: string;
  /** `undefined` while it is not known, `null` when there is no such Secret. */
  current(): SecretContent | null | undefined;
  onChange(listener: () => void): () => void;
  /**
   * Sets keys of the Secret, and leaves its other keys, labels and annotations as they are. `conflict` when it is not
   * at that version any more; `undefined` stands for no Secret. Rejects with an `ApiError`.
   */
  save(
    data: Readonly<Record<string, string>>,
    version: string | undefined,
  ): Promise<{ readonly kind: 'saved'; readonly version: string } | { readonly kind: 'conflict' }>;
}

const managedBy = { 'app.kubernetes.io/managed-by': 'mirrorgate' };

export function certSecret({ client, reflector, namespace, name }: CertSecretOptions): CertSecret {
  const shown = () => reflector.current()?.get(`${namespace}/${name}`);
  /** What was written last: the reflector learns of it a little later. */
  let written: KubeObject | undefined;
  let read: { readonly from: KubeObject; readonly content: SecretContent } | undefined;

  return {
    name: `Secret ${namespace}/${name}`,

    current() {
      if (reflector.current() === undefined) return undefined;
      const secret = shown();
      if (secret === undefined) return null;
      if (read?.from !== secret)
        read = { from: secret, content: { data: decode(secret['data']), version: versionOf(secret) } };
      return read.content;
    },

    onChange: (listener) => reflector.onChange(listener),

    async save(data, version) {
      try {
        if (version === undefined) {
          written = await client.create(resources.secrets, {
            apiVersion: 'v1',
            kind: 'Secret',
            metadata: { namespace, name, labels: managedBy },
            type: 'kubernetes.io/tls',
            data: encode(data),
          });
        } else {
          const base = [shown(), written].find(
            (secret) => secret !== undefined && versionOf(secret) === version,
          );
          if (base === undefined) return { kind: 'conflict' };
          written = await client.replace(resources.secrets, {
            ...base,
            metadata: { ...base.metadata, labels: { ...base.metadata.labels, ...managedBy } },
            data: { ...(base['data'] as object | undefined), ...encode(data) },
          });
        }
        return { kind: 'saved', version: versionOf(written) };
      } catch (error) {
        if (isApiError(error, 'conflict', 'already-exists', 'not-found')) return { kind: 'conflict' };
        throw error;
      }
    },
  };
}

function versionOf({ metadata: { resourceVersion } }: KubeObject): string {
  return resourceVersion ?? '';
}

function encode(data: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );
}

/** A value that is no text cannot be a certificate or key either. */
function decode(data: unknown): Record<string, string> {
  if (typeof data !== 'object' || data === null) return {};
  return Object.fromEntries(
    Object.entries(data).map(([key, value]: [string, unknown]) => [
      key,
      typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : '',
    ]),
  );
}
