import { keyTypeOf, type HostKeyStore, type SshHost } from '../distribution/host-key-store.js';
import { currentObject, formatKey, type NamedObject, type ObjectSource } from './object-source.js';
import { findOperatorPin, judgeByOperatorPin, type OperatorPin } from './operator-pins.js';
import { PinSecret, type PinSecretClient } from './pin-secret.js';

export interface ClusterHostKeysOptions {
  readonly client: PinSecretClient;
  /** The Windows Nodes. */
  readonly nodes: ObjectSource;
  /** WMCO's ConfigMap `windows-ssh-host-keys`. Absent: its annotations alone are looked at. */
  readonly operatorPins?: NamedObject | undefined;
  /** The Secret with mirrorgate's own pins. */
  readonly pins: NamedObject;
}

/**
 * The host keys of a cluster's nodes. Where the Windows Machine Config Operator has pinned a key, that key counts, and
 * no other; elsewhere the first key that a host shows is pinned in a Secret, and stays when the Node is deleted.
 */
export function clusterHostKeys({ client, nodes, operatorPins, pins }: ClusterHostKeysOptions): HostKeyStore {
  const own = new PinSecret(client, pins);

  const operatorPin = (host: SshHost): OperatorPin | undefined => {
    const known = nodes.current();
    if (known === undefined)
      throw new Error('the Nodes, with the keys that WMCO has pinned, are not known yet');
    if (operatorPins === undefined) return findOperatorPin(host, known, undefined);
    const { key } = operatorPins;
    const object = currentObject(operatorPins);
    if (object === undefined) throw new Error(`ConfigMap ${formatKey(key)} is not known yet`);
    return findOperatorPin(host, known, { key, object });
  };

  return {
    async check(host, key) {
      if (keyTypeOf(key) === undefined) throw new Error(`${host.name} sent something that is no public key`);
      const pin = operatorPin(host);
      if (pin === undefined) return own.check(host, key);
      return own.revocation(host, key) ?? judgeByOperatorPin(pin, key);
    },
    knownKeyTypes: (host) =>
      Promise.resolve().then(() => {
        const pin = operatorPin(host);
        return pin === undefined ? own.keyTypes(host) : [pin.type];
      }),
  };
}
