import type { NodeFault } from './node-status.js';
import type { SyncResult } from './sync-node.js';

/** What happens at a node, as it happens. */
export type FleetEvent =
  | { readonly type: 'syncing'; readonly node: string; readonly revision: string }
  | {
      readonly type: 'synced';
      readonly node: string;
      readonly revision: string;
      readonly result: SyncResult;
      /** Milliseconds from the start of the connection to the end of the run. */
      readonly duration: number;
    }
  | {
      readonly type: 'failed';
      readonly node: string;
      readonly revision: string;
      readonly error: NodeFault;
      /** Failed tries since the last success, this one included. */
      readonly attempts: number;
      /** Milliseconds until the next try. */
      readonly retryIn: number;
    }
  | {
      readonly type: 'host-key-pinned';
      readonly node: string;
      /** `SHA256:…` of the key that is trusted from now on. */
      readonly fingerprint: string;
    };
