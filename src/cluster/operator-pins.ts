import {
  fingerprintOf,
  keyTypeOf,
  type HostKeyVerdict,
  type SshHost,
} from '../distribution/host-key-store.js';
import type { KubeObject } from './kube-object.js';
import { addressesOf } from './node-addresses.js';
import { formatKey, type NamedObject, type Objects } from './object-source.js';

/** The host key of a machine as the Windows Machine Config Operator (WMCO) has pinned it. */
export interface OperatorPin {
  /** Public key in SSH wire format. */
  readonly key: Buffer;
  readonly type: string;
  /** Where it stands, for messages. */
  readonly where: string;
  /** A command that puts another key in its place. */
  readonly replaceBy: (key: Buffer) => string;
}

/** Where WMCO pins: on the Node, as base64 of the wire format, with the type in an annotation of its own. */
export const operatorKeyAnnotation = 'windowsmachineconfig.openshift.io/ssh-host-key';
export const operatorKeyTypeAnnotation = 'windowsmachineconfig.openshift.io/ssh-host-key-type';

/**
 * Finds WMCO's pin of a host: on its Node, or, before WMCO could write there, in its ConfigMap by address. The pin is
 * of the machine, whatever port is spoken to.
 *
 * @param configMap `windows-ssh-host-keys`: key = address, value = base64 of the wire format
 * @throws Error when there is a pin that cannot be read: nobody may take its place then
 */
export function findOperatorPin(
  host: SshHost,
  nodes: Objects,
  configMap: { readonly key: NamedObject['key']; readonly object: KubeObject | null } | undefined,
): OperatorPin | undefined {
  const node = nodeOf(host, nodes);
  const annotated = node?.metadata.annotations?.[operatorKeyAnnotation];
  if (node !== undefined && annotated !== undefined) {
    const { name } = node.metadata;
    const where = `annotation ${operatorKeyAnnotation} of Node ${name}`;
    return {
      ...readKey(annotated, where),
      where,
      replaceBy: (key) =>
        `kubectl annotate --overwrite node ${name} ${operatorKeyAnnotation}=${key.toString('base64')} ` +
        `${operatorKeyTypeAnnotation}=${keyTypeOf(key) ?? ''}`,
    };
  }

  const data = configMap?.object?.['data'];
  if (configMap === undefined || typeof data !== 'object' || data === null) return undefined;
  const addresses = new Set([
    host.address.toLowerCase(),
    ...(node === undefined ? [] : addressesOf(node).all),
  ]);
  const pinned = Object.entries(data as Readonly<Record<string, string>>).find(([address]) =>
    addresses.has(address.toLowerCase()),
  );
  if (pinned === undefined) return undefined;
  const [address, text] = pinned;
  const { namespace = '', name } = configMap.key;
  const where = `"${address}" in ConfigMap ${formatKey(configMap.key)}`;
  return {
    ...readKey(text, where),
    where,
    replaceBy: (key) =>
      `kubectl -n ${namespace} patch configmap ${name} --type=merge ` +
      `-p='${JSON.stringify({ data: { [address]: key.toString('base64') } })}'`,
  };
}

/** Judges the key that a host showed by WMCO's pin. */
export function judgeByOperatorPin(pin: OperatorPin, key: Buffer): HostKeyVerdict {
  if (pin.key.equals(key)) return { accepted: true, pinned: false };
  return {
    accepted: false,
    reason: 'changed',
    expected: [fingerprintOf(pin.key)],
    found: fingerprintOf(key),
    hint:
      `WMCO has pinned the other key (${pin.where}) and refuses the node too; ` +
      `if the node was reinstalled, compare the fingerprint with the node's own and accept it for both: ${pin.replaceBy(key)}`,
  };
}

function nodeOf(host: SshHost, nodes: Objects): KubeObject | undefined {
  const named = nodes.get(host.name);
  if (named !== undefined) return named;
  const address = host.address.toLowerCase();
  return [...nodes.values()].find((node) => addressesOf(node).all.has(address));
}

/** WMCO writes plain base64; a person may have put the line of a `.pub` or known_hosts file there. */
function readKey(text: string, where: string): { key: Buffer; type: string } {
  for (const field of text.trim().split(/\s+/)) {
    const key = Buffer.from(field, 'base64');
    const type = keyTypeOf(key);
    if (type !== undefined) return { key, type };
  }
  throw new Error(
    `${where} is no public key: expected the base64 of one; correct or remove it, WMCO cannot use the node either`,
  );
}
