import type { NodeSource } from '../controller/sources.js';
import type { ReadPrivateKey } from '../distribution/private-key.js';
import { deriveSource } from './derive-source.js';
import type { KubeObject } from './kube-object.js';
import type { NodeProblem } from './node-problem.js';
import { currentObject, formatKey, type NamedObject, type ObjectSource } from './object-source.js';
import { readSshKeySecret } from './ssh-key-secret.js';
import { targetNodes } from './target-nodes.js';
import { readWindowsInstances } from './windows-instances.js';

export interface ClusterNodesOptions {
  /** The Windows Nodes. */
  readonly nodes: ObjectSource;
  /** ConfigMap `windows-instances`. Absent: no machines but Nodes. */
  readonly instances?: NamedObject | undefined;
  /** The cluster's Infrastructure, named `cluster`. */
  readonly infrastructures: ObjectSource;
  /** The Secret with the private key. */
  readonly sshKey: NamedObject;
  /** One that remembers: it is asked at every change. */
  readonly readKey: (text: string, passphrase: string | undefined) => ReadPrivateKey;
}

/** The nodes to look after; calls back only when targets, problems or paused nodes are no longer the same. */
export interface ClusterNodes extends NodeSource {
  problems(): readonly NodeProblem[];
  /** Names of the Nodes that are to be left alone. */
  paused(): ReadonlySet<string>;
}

/** The Windows nodes of the cluster; unknown until all that it takes to log in is known. */
export function clusterNodes({
  nodes,
  instances,
  infrastructures,
  sshKey,
  readKey,
}: ClusterNodesOptions): ClusterNodes {
  const inputs = [
    nodes,
    infrastructures,
    sshKey.objects,
    ...(instances === undefined ? [] : [instances.objects]),
  ];
  const derived = deriveSource(inputs, () => {
    const objects = nodes.current();
    const clusters = infrastructures.current();
    const secret = currentObject(sshKey);
    const configMap = instances === undefined ? null : currentObject(instances);
    if (objects === undefined || clusters === undefined || secret === undefined || configMap === undefined)
      return undefined;
    return targetNodes({
      nodes: objects.values(),
      instances: readWindowsInstances(configMap),
      platform: platformOf(clusters.get('cluster')),
      sshKey: readSshKeySecret(formatKey(sshKey.key), secret, readKey),
    });
  });
  const none: ReadonlySet<string> = new Set();
  return {
    current: () => derived.current()?.targets,
    onChange: (listener) => derived.onChange(listener),
    problems: () => derived.current()?.problems ?? [],
    paused: () => derived.current()?.paused ?? none,
  };
}

function platformOf(infrastructure: KubeObject | undefined): string | undefined {
  const status = infrastructure?.['status'] as
    { readonly platformStatus?: { readonly type?: string }; readonly platform?: string } | undefined;
  return status?.platformStatus?.type ?? status?.platform;
}
