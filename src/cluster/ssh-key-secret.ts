import type { ReadPrivateKey } from '../distribution/private-key.js';
import type { KubeObject } from './kube-object.js';
import { secretKeys, secretText } from './secret-text.js';

/** As WMCO names it, and as Secrets of type `kubernetes.io/ssh-auth` do. */
const keyNames = ['private-key.pem', 'ssh-privatekey'];
const passphraseName = 'passphrase';

/** The private key that logs in to the nodes, checked. Secret material. */
export type SshKeyReading =
  | { readonly ok: true; readonly privateKey: string; readonly passphrase?: string }
  | {
      readonly ok: false;
      readonly reason: 'SSHKeyMissing' | 'SSHKeyInvalid';
      readonly message: string;
      readonly hint: string;
    };

/**
 * @param name `namespace/name` of the Secret, for messages
 * @param secret `null` when there is no such Secret
 */
export function readSshKeySecret(
  name: string,
  secret: KubeObject | null,
  readKey: (text: string, passphrase: string | undefined) => ReadPrivateKey,
): SshKeyReading {
  const [namespace = '', secretName = ''] = name.split('/');
  const create = `oc -n ${namespace} create secret generic ${secretName} --from-file=private-key.pem=FILE`;
  if (secret === null) {
    return {
      ok: false,
      reason: 'SSHKeyMissing',
      message: `there is no Secret ${name}, which holds the private key for SSH`,
      hint: create,
    };
  }
  const keyName = keyNames.find((each) => secretText(secret, each) !== undefined);
  const privateKey = keyName === undefined ? undefined : secretText(secret, keyName);
  if (keyName === undefined || privateKey === undefined) {
    const found = secretKeys(secret).map((each) => `"${each}"`);
    return {
      ok: false,
      reason: 'SSHKeyMissing',
      message: `Secret ${name} has no key "private-key.pem"; it has ${found.join(', ') || 'none'}`,
      hint: `put the private key there: ${create}`,
    };
  }
  // Whoever makes the Secret from a file or with echo has a line break at the end that is no part of it.
  const passphrase = secretText(secret, passphraseName)?.replace(/\r?\n$/, '');
  const read = readKey(privateKey, passphrase);
  if (!read.ok) {
    return {
      ok: false,
      reason: 'SSHKeyInvalid',
      message: `"${keyName}" in Secret ${name}: ${read.fault}`,
      hint:
        passphrase === undefined && /no passphrase/.test(read.fault)
          ? `put the passphrase under the key "${passphraseName}" of the same Secret`
          : read.hint,
    };
  }
  return { ok: true, privateKey, ...(passphrase !== undefined && { passphrase }) };
}
