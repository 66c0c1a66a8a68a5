import type { HostKeyStore } from './host-key-store.js';
import { rememberingKeyReader } from './private-key.js';
import type { RemoteFiles } from './remote-files.js';
import { openSession, type SessionOptions } from './sftp-session.js';
import type { TargetNode } from './target-node.js';

/** The files of a node for the length of one session. */
export type NodeSession = RemoteFiles & { close(): Promise<void> };

export interface OpenNodeOptions {
  /** Aborting it ends the session at once, whatever it is doing. */
  readonly signal: AbortSignal;
  readonly onHostKeyPinned: (fingerprint: string) => void;
  /** Called before each request to the node. What it throws ends the session, and is what calls then reject with. */
  readonly check?: (() => void) | undefined;
}

/** Opens a session with a node within a bounded time; rejects with a `NodeError`, or the signal's reason. */
export type OpenNode = (node: TargetNode, options: OpenNodeOptions) => Promise<NodeSession>;

/** Opens nodes over SFTP. Nodes that share a private key share the work of decrypting it. */
export function openOverSftp(
  hostKeys: HostKeyStore,
  options: Omit<SessionOptions, keyof OpenNodeOptions | 'readKey'> = {},
): OpenNode {
  const readKey = rememberingKeyReader();
  return (node, given) => openSession(node, hostKeys, { ...options, ...given, readKey });
}
