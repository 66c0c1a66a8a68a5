import { defaultRoot, defaultSshPort, type TargetNode } from '../distribution/target-node.js';
import { compareText } from '../mirrors/mirror-set.js';
import type { KubeObject } from './kube-object.js';
import { addressesOf, type NodeAddresses } from './node-addresses.js';
import type { NodeProblem } from './node-problem.js';
import { annotations, readNodeSettings, type NodeSettings } from './node-settings.js';
import type { SshKeyReading } from './ssh-key-secret.js';
import type { WindowsInstance } from './windows-instances.js';

export interface TargetNodesInput {
  /** The Windows Nodes. */
  readonly nodes: Iterable<KubeObject>;
  readonly instances: readonly WindowsInstance[];
  /** `status.platformStatus.type` of the cluster's Infrastructure; `undefined` where there is none. */
  readonly platform: string | undefined;
  readonly sshKey: SshKeyReading;
}

export interface TargetNodes {
  /** By name. No two have the same address and port. Secret material. */
  readonly targets: readonly TargetNode[];
  /** By name. A node with a problem is no target. */
  readonly problems: readonly NodeProblem[];
  /** Nodes that are to be left alone. */
  readonly paused: ReadonlySet<string>;
}

/** A machine, before it is known whether it can be logged in to. */
interface Candidate {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly username: string;
  readonly root: string;
  /** When its Node was made; empty for an instance without a Node. */
  readonly created: string;
}

const byohLabel = 'windowsmachineconfig.openshift.io/byoh';

/**
 * The machines to look after: all Windows Nodes that are not being deleted, and the instances that are listed but have
 * no Node yet, so that they can pull their pause image before they join.
 */
export function targetNodes({ nodes, instances, platform, sshKey }: TargetNodesInput): TargetNodes {
  const candidates: Candidate[] = [];
  const problems: NodeProblem[] = [];
  const paused = new Set<string>();
  const instancesByAddress = new Map(instances.map((instance) => [instance.address.toLowerCase(), instance]));
  /** Addresses of Nodes: an instance with one of them is no machine of its own, whatever became of its Node. */
  const taken = new Set<string>();

  for (const node of nodes) {
    const { name } = node.metadata;
    const addresses = addressesOf(node);
    for (const address of addresses.all) taken.add(address);
    if (node.metadata.deletionTimestamp !== undefined) continue;

    const { settings, faults } = readNodeSettings(node);
    if (settings.paused) {
      paused.add(name);
      continue;
    }
    for (const fault of faults) problems.push(invalidAnnotation(name, fault));
    const result = toCandidate(node, addresses, settings, instancesByAddress, platform);
    if ('reason' in result) problems.push(result);
    else if (faults.length === 0) candidates.push(result);
  }

  for (const instance of instances) {
    if (taken.has(instance.address.toLowerCase())) continue;
    const { address, username } = instance;
    if (username === undefined) problems.push(invalidInstance(address, instance));
    else {
      candidates.push({
        name: address,
        address,
        port: defaultSshPort,
        username,
        root: defaultRoot,
        created: '',
      });
    }
  }

  const { unique, duplicates } = withoutDuplicates(candidates);
  problems.push(...duplicates);
  if (!sshKey.ok) {
    const { reason, message, hint } = sshKey;
    problems.push(...unique.map(({ name }) => ({ node: name, reason, message, hint })));
  }
  return {
    targets: sshKey.ok ? unique.map((candidate) => toTarget(candidate, sshKey)) : [],
    problems: problems.sort((left, right) => compareText(left.node, right.node)),
    paused,
  };
}

function toCandidate(
  node: KubeObject,
  addresses: NodeAddresses,
  settings: NodeSettings,
  instances: ReadonlyMap<string, WindowsInstance>,
  platform: string | undefined,
): Candidate | NodeProblem {
  const { name, creationTimestamp = '' } = node.metadata;
  if (addresses.ssh === undefined) {
    return {
      node: name,
      reason: 'NoAddress',
      message: `Node ${name} has no InternalIP or InternalDNS in status.addresses that is not IPv6`,
      hint: 'it is taken up once the kubelet, or the cloud provider, reports one: kubectl get node -o wide',
    };
  }
  const candidate = {
    name,
    address: addresses.ssh,
    port: settings.port ?? defaultSshPort,
    root: settings.root ?? defaultRoot,
    created: creationTimestamp,
  };
  if (settings.username !== undefined) return { ...candidate, username: settings.username };

  const instance = [...addresses.all].map((each) => instances.get(each)).find((each) => each !== undefined);
  if (instance === undefined) return { ...candidate, username: defaultUsername(node, platform) };
  return instance.username === undefined
    ? invalidInstance(name, instance)
    : { ...candidate, username: instance.username };
}

/** The accounts that WMCO uses on machines that it makes itself. */
function defaultUsername(node: KubeObject, platform: string | undefined): string {
  const isByoh = node.metadata.labels?.[byohLabel] === 'true';
  return platform === 'Azure' && !isByoh ? 'capi' : 'Administrator';
}

/**
 * Where an address was given to a new machine while the Node of the old one is still there, the newest Node is the one
 * that answers.
 */
function withoutDuplicates(candidates: readonly Candidate[]): {
  unique: Candidate[];
  duplicates: NodeProblem[];
} {
  const byPlace = new Map<string, Candidate>();
  const duplicates: NodeProblem[] = [];
  const newestFirst = candidates.toSorted(
    (left, right) => compareText(right.created, left.created) || compareText(left.name, right.name),
  );
  for (const candidate of newestFirst) {
    const place = `${candidate.address.toLowerCase()} ${candidate.port}`;
    const first = byPlace.get(place);
    if (first === undefined) byPlace.set(place, candidate);
    else {
      duplicates.push({
        node: candidate.name,
        reason: 'DuplicateAddress',
        message: `${candidate.name} has the same address as ${first.name}, which is newer: ${candidate.address}`,
        hint: `delete the Node of the machine that is gone: kubectl delete node ${candidate.name}`,
      });
    }
  }
  return {
    unique: [...byPlace.values()].sort((left, right) => compareText(left.name, right.name)),
    duplicates,
  };
}

function toTarget(
  { name, address, port, username, root }: Candidate,
  { privateKey, passphrase }: SshKeyReading & { readonly ok: true },
): TargetNode {
  return {
    name,
    address,
    port,
    username,
    privateKey,
    ...(passphrase !== undefined && { passphrase }),
    root,
  };
}

function invalidAnnotation(node: string, fault: string): NodeProblem {
  return {
    node,
    reason: 'InvalidAnnotation',
    message: `Node ${node}: ${fault}`,
    hint: `correct or remove it: kubectl annotate --overwrite node ${node} NAME=VALUE, or NAME-`,
  };
}

function invalidInstance(node: string, { address, fault = '' }: WindowsInstance): NodeProblem {
  return {
    node,
    reason: 'InvalidInstance',
    message: `"${address}" in ConfigMap windows-instances: ${fault}`,
    hint: `correct it there, or annotate the Node with ${annotations.username}`,
  };
}
