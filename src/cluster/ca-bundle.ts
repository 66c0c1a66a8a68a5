import type { Source } from '../controller/sources.js';
import { isApiError } from './api-error.js';
import type { KubeClient } from './kube-client.js';
import { resources, type KubeObject } from './kube-object.js';

export interface CaBundleOptions {
  readonly client: Pick<KubeClient, 'replace'>;
  /** Shows the ValidatingWebhookConfiguration, and possibly others. */
  readonly reflector: Source<ReadonlyMap<string, KubeObject>>;
  readonly name: string;
}

/** What the API server is told to trust. */
export type CaBundleState =
  | { readonly kind: 'absent' }
  /** An annotation has somebody else write it. */
  | { readonly kind: 'managed-elsewhere'; readonly by: string }
  /** The PEM text of each webhook, empty where it has none. */
  | { readonly kind: 'present'; readonly bundles: readonly string[] };

/** The `caBundle`s of a ValidatingWebhookConfiguration: what the managed certificates of `serving` expect of their target. */
export interface CaBundle {
  readonly name: string;
  readonly absentHint: string;
  /** `undefined` while it is not known. The same object until the configuration changes. */
  current(): CaBundleState | undefined;
  onChange(listener: () => void): () => void;
  /**
   * Writes one bundle for every webhook, and touches nothing else. `conflict` when the configuration has changed since
   * it was read. Rejects with an `ApiError`.
   */
  inject(bundle: string): Promise<'injected' | 'conflict'>;
}

/** Annotations by which cert-manager's CA injector and OpenShift's service CA operator are told to write a `caBundle`. */
const injectors: Readonly<Record<string, string>> = {
  'cert-manager.io/inject-ca-from': 'cert-manager',
  'cert-manager.io/inject-ca-from-secret': 'cert-manager',
  'cert-manager.io/inject-apiserver-ca': 'cert-manager',
  'service.beta.openshift.io/inject-cabundle': "OpenShift's service CA",
};

const absent: CaBundleState = { kind: 'absent' };

export function caBundle({ client, reflector, name }: CaBundleOptions): CaBundle {
  const shown = () => reflector.current()?.get(name);
  let read: { readonly from: KubeObject; readonly state: CaBundleState } | undefined;

  return {
    name: `ValidatingWebhookConfiguration ${name}`,
    absentHint: 'apply it again: it is part of manifests/base',

    current() {
      if (reflector.current() === undefined) return undefined;
      const configuration = shown();
      if (configuration === undefined) return absent;
      if (read?.from !== configuration) read = { from: configuration, state: stateOf(configuration) };
      return read.state;
    },

    onChange: (listener) => reflector.onChange(listener),

    async inject(bundle) {
      const configuration = shown();
      if (configuration === undefined) return 'conflict';
      try {
        // Taken as it was read, with its resourceVersion: a list cannot be patched in part, and this cannot undo what
        // somebody else has changed meanwhile.
        await client.replace(resources.validatingWebhookConfigurations, {
          ...configuration,
          webhooks: webhooksOf(configuration).map((webhook) => ({
            ...webhook,
            clientConfig: { ...webhook.clientConfig, caBundle: Buffer.from(bundle).toString('base64') },
          })),
        });
        return 'injected';
      } catch (error) {
        if (isApiError(error, 'conflict', 'not-found')) return 'conflict';
        throw error;
      }
    },
  };
}

/** The part of a webhook that matters here. */
interface Webhook {
  readonly clientConfig?: { readonly caBundle?: string };
}

function webhooksOf(configuration: KubeObject): readonly Webhook[] {
  const webhooks = configuration['webhooks'];
  return Array.isArray(webhooks) ? (webhooks as readonly Webhook[]) : [];
}

function stateOf(configuration: KubeObject): CaBundleState {
  const annotations = configuration.metadata.annotations ?? {};
  for (const [annotation, injector] of Object.entries(injectors)) {
    const value = annotations[annotation];
    if (value !== undefined && value !== '' && value !== 'false')
      return { kind: 'managed-elsewhere', by: `the annotation ${annotation} has ${injector} write it` };
  }
  const bundles = webhooksOf(configuration).map(({ clientConfig }) =>
    Buffer.from(clientConfig?.caBundle ?? '', 'base64').toString('utf8'),
  );
  return { kind: 'present', bundles };
}
