import type { NodeErrorClass } from './node-error.js';
import type { SyncResult } from './sync-node.js';

/** Where a node stands. `failed` nodes wait for their next try. */
export type NodeState = 'pending' | 'syncing' | 'synced' | 'failed';

/** What went wrong at a node, in words for a person; holds no secret. */
export interface NodeFault {
  readonly class: NodeErrorClass;
  readonly message: string;
  readonly hint: string;
}

export interface NodeStatus {
  readonly name: string;
  readonly address: string;
  readonly state: NodeState;
  /** Revision that the node should hold; `undefined` until there is a desired state. */
  readonly wanted: string | undefined;
  /** Revision that it held when it was last seen in sync. */
  readonly held: string | undefined;
  /** A run towards another revision than `held` has begun to change files since: the node may hold some of both. */
  readonly mixed: boolean;
  /** When it was last seen in sync, in milliseconds since the epoch. */
  readonly lastSuccess: number | undefined;
  /** What the last successful run did. */
  readonly lastResult: SyncResult | undefined;
  /** Why the last try failed; `undefined` once one has succeeded. */
  readonly lastError: NodeFault | undefined;
  /** Failed tries since the last success. */
  readonly attempts: number;
  /** When a failed node is tried again, in milliseconds since the epoch. */
  readonly nextRetry: number | undefined;
}

/** How a rollout stands once every node has been tried at the revision, or waits for its next try. */
export interface RolloutOutcome {
  readonly revision: string | undefined;
  readonly nodes: readonly NodeStatus[];
}
