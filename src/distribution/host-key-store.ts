import { createHash } from 'node:crypto';

/** A node as its host key is looked up. */
export interface SshHost {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** Whether a host may be spoken to with the key that it showed. */
export type HostKeyVerdict =
  | {
      readonly accepted: true;
      /** The key was seen for the first time, and has been pinned by this check. */
      readonly pinned: boolean;
    }
  | {
      readonly accepted: false;
      readonly reason: 'changed' | 'unknown' | 'revoked';
      /** Fingerprints of the keys on record; none when the host is unknown. */
      readonly expected: readonly string[];
      /** Fingerprint of the key that the host showed. */
      readonly found: string;
      /** How a person can accept the key, once sure that it is right. */
      readonly hint: string;
    };

/** What is known about the keys of hosts. A changed key is refused, never learned. */
export interface HostKeyStore {
  /**
   * @param key public key in SSH wire format, as the host sent it
   * @throws when the record cannot be read or written; nobody is trusted then
   */
  check(host: SshHost, key: Buffer): Promise<HostKeyVerdict>;
  /**
   * The types (`ssh-ed25519`, …) of the keys on record for a host. A server has several keys and shows the one whose
   * type is asked for first; so these are asked for first, or a known host would look like a changed one.
   */
  knownKeyTypes(host: SshHost): Promise<readonly string[]>;
}

/** `SHA256:…` as OpenSSH prints it: unpadded base64 over the wire format. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** The type that a key in SSH wire format names itself, or `undefined` when it is not such a key. */
export function keyTypeOf(key: Buffer): string | undefined {
  if (key.length < 4) return undefined;
  const length = key.readUInt32BE(0);
  if (key.length < 4 + length) return undefined;
  const type = key.toString('latin1', 4, 4 + length);
  // The name is written into files and commands: a host must not be able to put more than a name there.
  return /^[A-Za-z0-9][A-Za-z0-9@._-]*$/.test(type) ? type : undefined;
}

/** A host as known_hosts names it: the address, in brackets with its port unless that is 22. */
export function knownHostsName(address: string, port: number): string {
  const host = address.toLowerCase();
  return port === 22 ? host : `[${host}]:${port}`;
}
