import type { HostKeyVerdict } from './host-key-store.js';
import { withoutTemporaryName } from './node-plan.js';
import { displayPath } from './remote-path.js';

/** What kind of fault keeps a node from its desired state; a metric label and the reason of a condition. */
export type NodeErrorClass =
  | 'unreachable'
  | 'host-key-mismatch'
  | 'host-key-unknown'
  | 'authentication'
  | 'permission'
  | 'disk-full'
  | 'protocol';

/** A node could not be brought to its desired state. Message and hint are each one line, and hold no secret. */
export class NodeError extends Error {
  override readonly name = 'NodeError';
  readonly class: NodeErrorClass;
  /** What a person can do about it. */
  readonly hint: string;

  constructor(code: NodeErrorClass, message: string, hint: string, options?: { readonly cause?: unknown }) {
    super(oneLine(message), options);
    this.class = code;
    this.hint = oneLine(hint);
  }
}

/** The part of a node that its errors speak of. */
export interface ReachedNode {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly username: string;
}

/** SFTP status codes (draft-ietf-secsh-filexfer-02, section 7), as ssh2 puts them into `error.code`. */
export const sftpStatus = {
  endOfFile: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
} as const;

export function sftpStatusOf(error: unknown): number | undefined {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'number' ? code : undefined;
}

const diskFull = /no space left|disk (?:is )?full|not enough space|quota|ENOSPC/i;

/** Says whether an SFTP error is a server's way to say that its disk is full. */
export function saysDiskFull(error: unknown): boolean {
  return error instanceof Error && diskFull.test(error.message);
}

/** The error for a host whose key is not accepted. */
export function hostKeyError(node: ReachedNode, verdict: HostKeyVerdict & { accepted: false }): NodeError {
  const at = `${node.address}:${node.port}`;
  const { expected, found, hint, reason } = verdict;
  switch (reason) {
    case 'unknown':
      return new NodeError('host-key-unknown', `the host key of ${at} is not known (${found})`, hint);
    case 'revoked':
      return new NodeError('host-key-mismatch', `the host key of ${at} is revoked (${found})`, hint);
    case 'changed':
      return new NodeError(
        'host-key-mismatch',
        `the host key of ${at} has changed: expected ${expected.join(' or ')}, found ${found}`,
        hint,
      );
  }
}

/** The error for a key that the node did not take. */
export function authenticationError(node: ReachedNode, keyType: string, cause: unknown): NodeError {
  return new NodeError(
    'authentication',
    `${node.address}:${node.port} refused user "${node.username}" with a key of type ${keyType}`,
    `check the user name, and that the public key stands on the node in ` +
      `C:\\ProgramData\\ssh\\administrators_authorized_keys for an administrator (writable by Administrators and SYSTEM ` +
      `alone), or in C:\\Users\\${node.username}\\.ssh\\authorized_keys for any other user`,
    { cause },
  );
}

/** The error for a node that does not answer, or no longer does. */
export function unreachableError(node: ReachedNode, what: string, cause?: unknown): NodeError {
  return new NodeError(
    'unreachable',
    `${node.address}:${node.port} ${what}`,
    'check address and port, that the node is up, that its sshd service runs (Get-Service sshd), and that no firewall is between',
    { cause },
  );
}

/** Classifies an error of the connection: of its socket, its handshake or its log-in. */
export function connectionError(node: ReachedNode, keyType: string, error: unknown): NodeError {
  if (error instanceof NodeError) return error;
  const { level, code, message } = describe(error);
  if (level === 'client-authentication' || /too many authentication failures/i.test(message))
    return authenticationError(node, keyType, error);
  if (level === 'client-timeout') return unreachableError(node, `did not answer in time (${message})`, error);
  if (level === 'handshake' && /no matching/i.test(message)) {
    return new NodeError(
      'protocol',
      `${node.address}:${node.port} and mirrorgate share no algorithm (${message})`,
      'update OpenSSH on the node, or allow an older algorithm in the configuration',
      { cause: error },
    );
  }
  if (level === 'client-socket' || (code !== undefined && socketFaults[code] !== undefined)) {
    return unreachableError(node, socketFaults[code ?? ''] ?? `cannot be reached (${message})`, error);
  }
  if (/connection lost|not connected|no response from server|ended|closed/i.test(message)) {
    return unreachableError(node, `closed the connection (${message})`, error);
  }
  return new NodeError(
    'protocol',
    `${node.address}:${node.port} broke the SSH protocol (${message})`,
    'check that the port is that of an SSH server with the SFTP subsystem, and its log on the node',
    { cause: error },
  );
}

/** Classifies an error that the SFTP server gave to a request. */
export function fileError(action: string, path: string, error: unknown): NodeError {
  if (error instanceof NodeError) return error;
  const place = placeOf(path);
  const { message } = describe(error);
  const status = sftpStatusOf(error);
  if (saysDiskFull(error)) return diskFullError(action, path, error);
  if (status === sftpStatus.permissionDenied) {
    return new NodeError(
      'permission',
      `not allowed to ${action} ${place} (${message})`,
      'the user must be an administrator of the node, or have Modify on that directory (icacls); a scanner that holds the file open looks the same',
      { cause: error },
    );
  }
  return new NodeError(
    'protocol',
    `could not ${action} ${place} (${message})`,
    'check that path on the node: a program may hold it open, or a file may stand where a directory is needed',
    { cause: error },
  );
}

export function diskFullError(action: string, path: string, cause: unknown): NodeError {
  return new NodeError(
    'disk-full',
    `could not ${action} ${placeOf(path)}: the disk of the node is full`,
    'free some space on that drive of the node; unused container images take the most (crictl rmi --prune)',
    { cause },
  );
}

function placeOf(path: string): string {
  return displayPath(withoutTemporaryName(path));
}

const socketFaults: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused the connection',
  ENOTFOUND: 'has an address that cannot be resolved',
  EAI_AGAIN: 'has an address that cannot be resolved at the moment',
  EHOSTUNREACH: 'has no route to it',
  ENETUNREACH: 'is on a network that cannot be reached',
  ETIMEDOUT: 'did not answer in time',
  ECONNRESET: 'closed the connection',
  EPIPE: 'closed the connection',
};

function describe(error: unknown): { level: string | undefined; code: string | undefined; message: string } {
  if (!(error instanceof Error)) return { level: undefined, code: undefined, message: String(error) };
  const { level, code } = error as { level?: unknown; code?: unknown };
  return {
    level: typeof level === 'string' ? level : undefined,
    code: typeof code === 'string' ? code : undefined,
    message: oneLine(error.message),
  };
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
