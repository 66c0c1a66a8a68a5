/** A Windows node to keep in the desired state: where it answers and who may log in. Secret material: holds a key. */
export interface TargetNode {
  /** Name in messages and status; unique among the nodes of a fleet. */
  readonly name: string;
  /** Host name or IP address of its SSH server. */
  readonly address: string;
  readonly port: number;
  readonly username: string;
  /** Private key as text: OpenSSH, PKCS#1, SEC 1 or PKCS#8; Ed25519, ECDSA or RSA. */
  readonly privateKey: string;
  /** Passphrase of the private key, when it is encrypted. */
  readonly passphrase?: string;
  /** The directory that containerd's `config_path` names, as a Windows path or an absolute POSIX path. */
  readonly root: string;
}

/** Where the Windows Machine Config Operator points containerd's `config_path`. */
export const defaultRoot = 'C:\\k\\containerd\\registries';

/** The port an SSH server listens on unless told otherwise. */
export const defaultSshPort = 22;

/** True when both are reached in the same way: same address, credentials and root. */
export function sameConnection(left: TargetNode, right: TargetNode): boolean {
  return (
    left.address === right.address &&
    left.port === right.port &&
    left.username === right.username &&
    left.privateKey === right.privateKey &&
    left.passphrase === right.passphrase &&
    left.root === right.root
  );
}
