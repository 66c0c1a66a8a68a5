import type { NodeFault, NodeStatus } from './node-status.js';
import type { SyncResult } from './sync-node.js';
import type { TargetNode } from './target-node.js';

/** A node with where it stands. */
export interface Member {
  node: TargetNode;
  held: string | undefined;
  /** A run towards another revision than `held` has begun to change files since. */
  mixed: boolean;
  lastSuccess: number | undefined;
  lastResult: SyncResult | undefined;
  lastError: NodeFault | undefined;
  attempts: number;
  /** In line for a session. */
  queued: boolean;
  /** To be tried, now or after the run under way. */
  due: boolean;
  /** Taken off the list while a run was under way. */
  forgotten: boolean;
  run: Run | undefined;
  retry: { readonly at: number; readonly cancel: () => void } | undefined;
}

/** A try under way. */
export interface Run {
  connecting: boolean;
  /** Ends the run between two files. */
  readonly files: AbortController;
  /** Ends the session, whatever it is doing. */
  readonly session: AbortController;
}

export function newMember(node: TargetNode): Member {
  return {
    node,
    held: undefined,
    mixed: false,
    lastSuccess: undefined,
    lastResult: undefined,
    lastError: undefined,
    attempts: 0,
    queued: false,
    due: false,
    forgotten: false,
    run: undefined,
    retry: undefined,
  };
}

/** A member as the status shows it, where `wanted` is the revision it should hold. */
export function statusOf(member: Member, wanted: string | undefined): NodeStatus {
  const { node, held, mixed, lastSuccess, lastResult, lastError, attempts, retry } = member;
  const inSync = wanted !== undefined && held === wanted && !mixed && !member.due;
  const state =
    member.run !== undefined ? 'syncing' : retry !== undefined ? 'failed' : inSync ? 'synced' : 'pending';
  return {
    name: node.name,
    address: node.address,
    state,
    wanted,
    held,
    mixed,
    lastSuccess,
    lastResult,
    lastError,
    attempts,
    nextRetry: retry?.at,
  };
}

/** Ends a run with no file half done: between two files, or at once while there is only a connection. */
export function interrupt(run: Run | undefined): void {
  if (run === undefined) return;
  run.files.abort();
  if (run.connecting) run.session.abort();
}

export function cancelRetry(member: Member): void {
  member.retry?.cancel();
  member.retry = undefined;
}
