/** Where a node stands, in the words of a Node condition. */
import type { NodeErrorClass } from '../distribution/node-error.js';
import type { NodeStatus } from '../distribution/node-status.js';
import type { KubeObject } from './kube-object.js';
import type { NodeProblem } from './node-problem.js';

/** Type of the Node condition that says whether a node holds the mirror configuration that is wanted. */
export const conditionType = 'MirrorConfigSynced';
/** Annotation of a Node: the revision that it held when it was last seen in sync. */
export const revisionAnnotation = 'mirrorgate.dev/revision';

/** What mirrorgate says of a node; the times are added when it is written. */
export interface NodeCondition {
  readonly status: 'True' | 'False' | 'Unknown';
  /** CamelCase. */
  readonly reason: string;
  /** Stays the same as long as nothing changes: no counts, times or delays. */
  readonly message: string;
}

export interface NodeConditionInput {
  /** Revision that every node should hold, perhaps not yet told to the fleet; `undefined` until it is known. */
  readonly wanted: string | undefined;
  /** What the fleet says of the node; `undefined` when it is not in the fleet (yet). */
  readonly status: NodeStatus | undefined;
  /** Why the node cannot be in the fleet, where that is so. */
  readonly problem: Pick<NodeProblem, 'reason' | 'message' | 'hint'> | undefined;
  /** The node is to be left alone. */
  readonly paused: boolean;
  /** The revision that the Node's annotation tells of. */
  readonly annotated: string | undefined;
  /** The condition that the Node has. */
  readonly present: NodeCondition | undefined;
}

/**
 * The condition of a node, or `undefined` when what it has is to stay: nothing more is known, and to say so would take
 * back what another replica has seen.
 *
 * - `True` only when the node was seen to hold the revision that is wanted, by this replica or, as its condition and
 *   annotation say together, by the one that led before.
 * - `False` when it was seen to hold another revision, or none, or not to take the wanted one.
 * - `Unknown` when it held the wanted revision when last seen, but cannot be looked at now, or is to be left alone; and
 *   when nobody has looked yet.
 */
export function nodeCondition(input: NodeConditionInput): NodeCondition | undefined {
  const { wanted, status, problem, paused, annotated, present } = input;
  if (wanted === undefined) return undefined;
  const held = status?.held ?? annotated;
  const mixed = status?.mixed === true;
  const heldWanted = held === wanted && !mixed;
  if (paused) return pausedCondition(wanted, held, heldWanted);
  if (problem !== undefined) {
    return { status: heldWanted ? 'Unknown' : 'False', reason: problem.reason, message: say(problem) };
  }
  if (status?.lastError !== undefined) {
    const { class: errorClass } = status.lastError;
    const isUnseen = heldWanted && leavesUnseen[errorClass];
    return {
      status: isUnseen ? 'Unknown' : 'False',
      reason: nodeErrorReason(errorClass),
      message: say(status.lastError),
    };
  }
  if (status?.held === wanted && !mixed) {
    return { status: 'True', reason: syncedReason, message: `holds revision ${shortRevision(wanted)}` };
  }
  if (mixed && held === wanted) return turnedBackCondition(wanted);
  if (status?.held === undefined && !mixed && stillHolds(present, annotated === wanted)) return undefined;
  return held === undefined || held === wanted ? notObserved(wanted) : pendingCondition(wanted, held);
}

/**
 * Whether a condition that another replica wrote says the best that is known, as long as this one has not looked.
 *
 * @param heldWanted the node held the revision that is wanted when it was last seen in sync
 */
function stillHolds(present: NodeCondition | undefined, heldWanted: boolean): boolean {
  if (present === undefined) return false;
  if (present.reason === syncedReason) return present.status === 'True' && heldWanted;
  // Of another reason than a fault, this replica knows better.
  return faultReasons.has(present.reason) && (present.status === 'False' || heldWanted);
}

function notObserved(wanted: string): NodeCondition {
  return {
    status: 'Unknown',
    reason: 'NotObserved',
    message: `revision ${shortRevision(wanted)} is wanted; the node was not looked at yet`,
  };
}

function pendingCondition(wanted: string, held: string): NodeCondition {
  return {
    status: 'False',
    reason: 'RevisionPending',
    message: `revision ${shortRevision(wanted)} is wanted; the node holds ${shortRevision(held)}`,
  };
}

/** It was on its way to a revision that is not wanted any more. */
function turnedBackCondition(wanted: string): NodeCondition {
  return {
    status: 'False',
    reason: 'RevisionPending',
    message: `revision ${shortRevision(wanted)} is wanted; the node may hold some of another one`,
  };
}

function pausedCondition(wanted: string, held: string | undefined, heldWanted: boolean): NodeCondition {
  const left = held === undefined ? '' : ` at revision ${shortRevision(held)}`;
  return {
    status: heldWanted ? 'Unknown' : 'False',
    reason: 'Paused',
    message: `left alone${left}, as the annotation mirrorgate.dev/paused asks; revision ${shortRevision(wanted)} is wanted`,
  };
}

/** The reason of a condition or Event for a fault at a node. */
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
const faultReasons: ReadonlySet<string> = new Set(Object.values(reasons));
const syncedReason = 'Synced';

/**
 * A node with such a fault may hold what it held before: it was not read. The others come up while files are read or
 * written, and nothing is written where everything is right.
 */
const leavesUnseen: Readonly<Record<NodeErrorClass, boolean>> = {
  unreachable: true,
  'host-key-mismatch': true,
  'host-key-unknown': true,
  authentication: true,
  permission: false,
  'disk-full': false,
  protocol: true,
};

/** The condition that a Node has; `undefined` when it has none of ours. */
export function conditionOf(node: KubeObject): (NodeCondition & { readonly since?: string }) | undefined {
  const found = conditionsOf(node).find((condition) => condition['type'] === conditionType);
  if (found === undefined) return undefined;
  const { status, reason, message, lastTransitionTime } = found;
  return {
    status: status === 'True' || status === 'False' ? status : 'Unknown',
    reason: typeof reason === 'string' ? reason : '',
    message: typeof message === 'string' ? message : '',
    ...(typeof lastTransitionTime === 'string' && { since: lastTransitionTime }),
  };
}

/** The revision that a Node's annotation tells of. */
export function revisionOf(node: KubeObject): string | undefined {
  return node.metadata.annotations?.[revisionAnnotation];
}

function conditionsOf({ status }: KubeObject): readonly Record<string, unknown>[] {
  const conditions = isRecord(status) ? status['conditions'] : undefined;
  return Array.isArray(conditions) ? conditions.filter(isRecord) : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function say({ message, hint }: { readonly message: string; readonly hint: string }): string {
  return `${message}; ${hint}`;
}

/** Enough of a revision to tell it from others. */
function shortRevision(revision: string): string {
  return revision.slice(0, 12);
}
