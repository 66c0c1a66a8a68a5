import { writeFile } from 'node:fs/promises';

export interface KubeconfigOptions {
  readonly server: string;
  /** PEM file of the certificate authority behind `server`. */
  readonly caFile: string;
  readonly user: string;
  readonly token: string;
}

/** Writes a kubeconfig with one context, readable by its owner alone. */
export async function writeKubeconfig(path: string, options: KubeconfigOptions): Promise<void> {
  const { server, caFile, user, token } = options;
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'site', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: 'site', context: { cluster: 'site', user } }],
    'current-context': 'site',
  };
  // JSON is YAML.
  await writeFile(path, JSON.stringify(config, undefined, 2), { mode: 0o600 });
}
