import { existsSync } from 'node:fs';
import type { KubeConfig } from '@kubernetes/client-node';

/** Where a pod finds its service account. */
const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface KubeConfigOptions {
  /** A kubeconfig file; without it a pod's service account, then `KUBECONFIG`, then `~/.kube/config`. */
  readonly kubeconfig?: string | undefined;
  /** A context of that file, in place of its current one. */
  readonly context?: string | undefined;
}

/**
 * Finds the API server and how to log in there.
 *
 * @throws Error with one line that names what cannot be used
 */
export async function loadKubeConfig({ kubeconfig, context }: KubeConfigOptions): Promise<KubeConfig> {
  const { KubeConfig: Config } = await import('@kubernetes/client-node');
  const config = new Config();
  if (kubeconfig !== undefined) config.loadFromFile(kubeconfig);
  else if (existsSync(`${serviceAccount}/token`)) config.loadFromCluster();
  else config.loadFromDefault();
  if (context !== undefined) {
    if (!config.getContexts().some(({ name }) => name === context)) {
      const known = config.getContexts().map(({ name }) => `"${name}"`);
      throw new Error(`the kubeconfig has no context "${context}"; it has ${known.join(', ') || 'none'}`);
    }
    config.setCurrentContext(context);
  }
  return config;
}
