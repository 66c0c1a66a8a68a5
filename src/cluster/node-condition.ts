/** What the condition `MirrorConfigSynced` of a Node says. */
import type { NodeErrorClass } from '../distribution/node-error.js';
import type { NodeFault, NodeStatus } from '../distribution/node-status.js';
import type { NodeProblem } from './node-problem.js';

export interface NodeCondition {
  readonly status: 'True' | 'False' | 'Unknown';
  /** CamelCase, for programs. */
  readonly reason: string;
  /** For people. The same as long as nothing has changed: no counters, no times. */
  readonly message: string;
}

export interface NodeConditionInput {
  /** The revision that the node should hold; `undefined` while it is not known. */
  readonly wanted: string | undefined;
  /** What the fleet says of the node; `undefined` when it is not, or not yet, looked after. */
  readonly status: NodeStatus | undefined;
  /** Why the node cannot be looked after. */
  readonly problem: NodeProblem | undefined;
  /** The node is to be left alone. */
  readonly paused: boolean;
  /** The revision that the Node's annotation names: what it held when somebody last looked. */
  readonly annotated: string | undefined;
}

/**
 * The condition of a node; `undefined` where nothing new can be said of it. A leader that has just taken over has not
 * looked at anything yet: a node that is on record with the wanted revision keeps what is said of it until it is seen
 * to be otherwise.
 */
export function nodeCondition(input: NodeConditionInput): NodeCondition | undefined {
  const { wanted, status, problem, paused, annotated } = input;
  if (wanted === undefined) return undefined;
  const held = status?.held ?? annotated;

  if (paused) {
    const now = held === wanted ? `holds ${short(wanted)}` : `is left at ${shortOrNothing(held)}`;
    return {
      status: held === wanted ? 'Unknown' : 'False',
      reason: 'Paused',
      message: `the node is paused (annotation mirrorgate.dev/paused) and ${now}; ${short(wanted)} is wanted`,
    };
  }
  if (problem !== undefined) {
    return {
      status: 'False',
      reason: problem.reason,
      message: `${problem.message}; ${problem.hint}`,
    };
  }
  if (status?.lastError !== undefined) return failed(status.lastError, held === wanted);
  if (status !== undefined && status.held === wanted) {
    return { status: 'True', reason: 'Synced', message: `the node holds ${short(wanted)}` };
  }
  if (annotated === wanted) return undefined;
  return {
    status: 'False',
    reason: 'RevisionPending',
    message: `${short(wanted)} is wanted, the node holds ${shortOrNothing(held)}`,
  };
}

/** The reason for a fault of a node, as conditions and Events name it. */
export function nodeErrorReason(errorClass: NodeErrorClass): string {
  return reasons[errorClass];
}

const reasons: Readonly<Record<NodeErrorClass, string>> = {
  unreachable: 'Unreachable',
  'host-key-mismatch': 'HostKeyMismatch',
  'host-key-unknown': 'HostKeyUnknown',
  authentication: 'AuthenticationFailed',
  permission: 'PermissionDenied',
  'disk-full': 'DiskFull',
  protocol: 'ProtocolError',
};

/** A node that held what is wanted, and cannot be looked at now, may hold it still. */
function failed(fault: NodeFault, wasInSync: boolean): NodeCondition {
  return {
    status: wasInSync ? 'Unknown' : 'False',
    reason: nodeErrorReason(fault.class),
    message: `${fault.message}; ${fault.hint}`,
  };
}

/** Enough to tell revisions apart; the whole stands in the annotation. */
function short(revision: string): string {
  return `revision ${revision.slice(0, 12)}`;
}

function shortOrNothing(revision: string | undefined): string {
  return revision === undefined ? 'none' : short(revision);
}
