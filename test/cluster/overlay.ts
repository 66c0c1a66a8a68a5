import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { findKubePrograms } from './kube-programs.js';
import type { KubeSite } from './kube-site.js';
import type { Manifest } from './manifest-kinds.js';

export type { Manifest } from './manifest-kinds.js';

const folder = join(import.meta.dirname, '../../manifests/overlays');

/** All that there are, by the names of their folders. */
export const overlays: readonly string[] = readdirSync(folder).sort();

/** Namespaces of an OpenShift cluster that the overlays for it have roles in. */
export const openshiftNamespaces: readonly string[] = [
  'openshift-config',
  'openshift-windows-machine-config-operator',
];

export const isOpenshift = (overlay: string): boolean => overlay.startsWith('openshift');
export const isSelfSigned = (overlay: string): boolean => overlay.startsWith('self-signed');

/** The objects of an overlay, as `kubectl apply -k` would send them, and in that order. */
export async function renderOverlay(overlay: string): Promise<readonly Manifest[]> {
  const { kubectl } = findKubePrograms();
  const { stdout } = await promisify(execFile)(kubectl, ['kustomize', join(folder, overlay)]);
  return parseAllDocuments(stdout).map((document) => {
    if (document.errors.length > 0) throw new Error(`${overlay}: ${String(document.errors[0])}`);
    return document.toJS() as Manifest;
  });
}

export interface ApplyOptions {
  /** `kubectl apply --server-side`. */
  readonly serverSide?: boolean;
}

/**
 * Applies an overlay, as an administrator, and returns what kubectl says. The kinds of its custom resources must be
 * installed (see `installOverlayKinds`).
 */
export async function applyOverlay(
  site: KubeSite,
  overlay: string,
  { serverSide = false }: ApplyOptions = {},
): Promise<string> {
  const items = await forServer(site, await renderOverlay(overlay));
  // As one who had applied them at the client before would go over to it.
  const flags = serverSide ? ['--server-side', '--force-conflicts'] : [];
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  return (await site.kubectl(['apply', ...flags, '-f', '-'], { input })).stdout;
}

/** Removes what an overlay has brought, but for its namespace: without controllers no namespace ever goes. */
export async function deleteOverlay(site: KubeSite, overlay: string): Promise<void> {
  const items = (await forServer(site, await renderOverlay(overlay))).filter(
    ({ kind }) => kind !== 'Namespace',
  );
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  await site.kubectl(['delete', '--wait=false', '-f', '-'], { input });
}

/** The kinds of OpenShift's monitoring and of cert-manager, as far as the overlays use them. */
export async function installOverlayKinds(site: KubeSite): Promise<void> {
  const files = ['cert-manager', 'service-monitor'].map((name) =>
    join(import.meta.dirname, 'crds', `${name}.yaml`),
  );
  await site.kubectl(['apply', ...files.flatMap((file) => ['-f', file])]);
  const names = [
    'issuers.cert-manager.io',
    'certificates.cert-manager.io',
    'servicemonitors.monitoring.coreos.com',
  ];
  await site.kubectl(['wait', '--for=condition=Established', '--timeout=60s', 'crd', ...names]);
}

/**
 * A server from before Kubernetes 1.21 knows PodDisruptionBudget as `policy/v1beta1` alone, where the fields that are
 * used here mean the same. Nothing else is changed for it: whatever it does not know is a failure.
 */
export async function forServer(
  site: KubeSite,
  manifests: readonly Manifest[],
): Promise<readonly Manifest[]> {
  const { stdout } = await site.kubectl(['api-versions']);
  if (stdout.split('\n').includes('policy/v1')) return manifests;
  return manifests.map((manifest) =>
    manifest.kind === 'PodDisruptionBudget' ? { ...manifest, apiVersion: 'policy/v1beta1' } : manifest,
  );
}
