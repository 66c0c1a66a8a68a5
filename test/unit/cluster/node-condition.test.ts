import { describe, expect, it } from 'vitest';
import {
  conditionOf,
  nodeCondition,
  nodeErrorReason,
  revisionOf,
  type NodeCondition,
  type NodeConditionInput,
} from '../../../src/cluster/node-condition.js';
import type { NodeErrorClass } from '../../../src/distribution/node-error.js';
import type { NodeStatus } from '../../../src/distribution/node-status.js';

const old = 'a'.repeat(64);
const wanted = 'b'.repeat(64);

/** A node in the fleet that nobody has looked at yet, unless said otherwise. */
function inFleet(more: Partial<NodeStatus> = {}): NodeStatus {
  return {
    name: 'win-1',
    address: '10.0.0.1',
    state: 'pending',
    wanted,
    held: undefined,
    mixed: false,
    lastSuccess: undefined,
    lastResult: undefined,
    lastError: undefined,
    attempts: 0,
    nextRetry: undefined,
    ...more,
  };
}

const fault = (errorClass: NodeErrorClass) => ({ class: errorClass, message: 'what', hint: 'do this' });
const failed = (errorClass: NodeErrorClass, more: Partial<NodeStatus> = {}): NodeStatus =>
  inFleet({ state: 'failed', lastError: fault(errorClass), attempts: 3, nextRetry: 1, ...more });
const shows = (status: NodeCondition['status'], reason: string): NodeCondition => ({
  status,
  reason,
  message: 'as it was',
});

function condition(input: Partial<NodeConditionInput>): string {
  const given = nodeCondition({
    wanted,
    status: undefined,
    problem: undefined,
    paused: false,
    annotated: undefined,
    present: undefined,
    ...input,
  });
  return given === undefined ? 'stays' : `${given.status} ${given.reason}`;
}

const problem = { reason: 'SSHKeyMissing', message: 'no key', hint: 'make one' } as const;

const table: readonly (readonly [when: string, input: Partial<NodeConditionInput>, then: string])[] = [
  // Steady: the fleet knows the node.
  ['the node holds what is wanted', { status: inFleet({ state: 'synced', held: wanted }) }, 'True Synced'],
  ['and is read again', { status: inFleet({ state: 'syncing', held: wanted }) }, 'True Synced'],
  ['and waits to be read again', { status: inFleet({ held: wanted }) }, 'True Synced'],
  ['it holds the one before', { status: inFleet({ held: old }) }, 'False RevisionPending'],
  [
    'a newer one is wanted that the fleet has not been told of',
    {
      status: inFleet({ state: 'synced', held: old, wanted: old }),
      annotated: old,
      present: shows('True', 'Synced'),
    },
    'False RevisionPending',
  ],
  ['a new node was not looked at', { status: inFleet() }, 'Unknown NotObserved'],
  ['a new node is being looked at', { status: inFleet({ state: 'syncing' }) }, 'Unknown NotObserved'],

  // Faults.
  ['a new node cannot be reached', { status: failed('unreachable') }, 'False Unreachable'],
  [
    'a node that held it cannot be reached',
    { status: failed('unreachable', { held: wanted }) },
    'Unknown Unreachable',
  ],
  [
    'its next try runs',
    { status: failed('unreachable', { held: wanted, state: 'syncing' }) },
    'Unknown Unreachable',
  ],
  [
    'a node with the one before cannot be reached',
    { status: failed('unreachable', { held: old }) },
    'False Unreachable',
  ],
  [
    'its host key has changed',
    { status: failed('host-key-mismatch', { held: wanted }) },
    'Unknown HostKeyMismatch',
  ],
  ['its host key is not known', { status: failed('host-key-unknown') }, 'False HostKeyUnknown'],
  [
    'the key is refused',
    { status: failed('authentication', { held: wanted }) },
    'Unknown AuthenticationFailed',
  ],
  [
    'it was seen to be otherwise and cannot be written',
    { status: failed('permission', { held: wanted }) },
    'False PermissionDenied',
  ],
  [
    'there is no room for what is wanted',
    { status: failed('disk-full', { held: wanted }) },
    'False DiskFull',
  ],
  ['it does not speak SFTP', { status: failed('protocol', { held: old }) }, 'False ProtocolError'],

  // Nodes that cannot be in the fleet.
  ['a new node has a problem', { problem }, 'False SSHKeyMissing'],
  ['a node with the one before has a problem', { problem, annotated: old }, 'False SSHKeyMissing'],
  [
    'a node in sync has a problem',
    { problem, annotated: wanted, present: shows('True', 'Synced') },
    'Unknown SSHKeyMissing',
  ],

  // What is wanted was held before, and a run towards something else has begun meanwhile.
  [
    'the one before is wanted again, and the run away from it goes on',
    {
      status: inFleet({ state: 'syncing', held: wanted, mixed: true }),
      annotated: wanted,
      present: shows('False', 'RevisionPending'),
    },
    'False RevisionPending',
  ],
  [
    'and has failed half-way',
    { status: failed('unreachable', { held: wanted, mixed: true }), annotated: wanted },
    'False Unreachable',
  ],
  [
    'and the node is paused then',
    { status: inFleet({ held: wanted, mixed: true }), paused: true, annotated: wanted },
    'False Paused',
  ],
  [
    'and has a problem then',
    { status: inFleet({ held: wanted, mixed: true }), problem, annotated: wanted },
    'False SSHKeyMissing',
  ],
  // Paused.
  [
    'a node in sync is paused',
    { paused: true, annotated: wanted, present: shows('True', 'Synced') },
    'Unknown Paused',
  ],
  ['a node with the one before is paused', { paused: true, annotated: old }, 'False Paused'],
  ['a paused node has a problem too', { paused: true, problem, annotated: old }, 'False Paused'],
  [
    'it is paused no more, and in sync when last seen',
    { annotated: wanted, present: shows('Unknown', 'Paused') },
    'Unknown NotObserved',
  ],
  [
    'it is paused no more, with the one before',
    { annotated: old, present: shows('False', 'Paused') },
    'False RevisionPending',
  ],

  // A new leader, whose fleet is empty or has looked at nothing.
  [
    'nothing is known of what is wanted',
    { wanted: undefined, annotated: old, present: shows('True', 'Synced') },
    'stays',
  ],
  ['nor of the node', { wanted: undefined, problem }, 'stays'],
  ['the last leader saw it in sync', { annotated: wanted, present: shows('True', 'Synced') }, 'stays'],
  [
    'and it is in the new fleet',
    { status: inFleet(), annotated: wanted, present: shows('True', 'Synced') },
    'stays',
  ],
  [
    'and is then seen in sync',
    { status: inFleet({ held: wanted }), annotated: wanted, present: shows('True', 'Synced') },
    'True Synced',
  ],
  [
    'and is then not reached',
    { status: failed('unreachable'), annotated: wanted, present: shows('True', 'Synced') },
    'Unknown Unreachable',
  ],
  [
    'the last leader could not reach it any more',
    { status: inFleet(), annotated: wanted, present: shows('Unknown', 'Unreachable') },
    'stays',
  ],
  [
    'the last leader never reached it',
    { status: inFleet(), present: shows('False', 'Unreachable') },
    'stays',
  ],
  [
    'the last leader could not write it',
    { status: inFleet(), annotated: wanted, present: shows('False', 'PermissionDenied') },
    'stays',
  ],
  [
    'the last leader died in the middle of a rollout',
    { status: inFleet(), annotated: old, present: shows('False', 'RevisionPending') },
    'False RevisionPending',
  ],
  [
    'something else is wanted by now',
    { annotated: old, present: shows('True', 'Synced') },
    'False RevisionPending',
  ],
  [
    'and the last leader could not reach it',
    { annotated: old, present: shows('Unknown', 'Unreachable') },
    'False RevisionPending',
  ],
  [
    'the one before is wanted again, half of another may be there',
    { annotated: wanted, present: shows('False', 'RevisionPending') },
    'Unknown NotObserved',
  ],
  ['somebody has removed the condition', { annotated: wanted }, 'Unknown NotObserved'],
  ['somebody has removed the annotation', { present: shows('True', 'Synced') }, 'Unknown NotObserved'],
  [
    'the key that was missing is there',
    { status: inFleet(), annotated: old, present: shows('False', 'SSHKeyMissing') },
    'False RevisionPending',
  ],
];

describe('nodeCondition', () => {
  it.each(table)('%s', (_, input, then) => {
    expect(condition(input)).toBe(then);
  });

  it('says the same at every try, however many there were', () => {
    const input = { wanted, problem: undefined, paused: false, annotated: old, present: undefined };
    const first = nodeCondition({ ...input, status: failed('unreachable', { attempts: 1, nextRetry: 5 }) });
    const later = nodeCondition({ ...input, status: failed('unreachable', { attempts: 9, nextRetry: 99 }) });
    expect(first).toEqual({ status: 'False', reason: 'Unreachable', message: 'what; do this' });
    expect(later).toEqual(first);
  });

  it('names revisions short, and the whole of neither', () => {
    const said = nodeCondition({
      wanted,
      status: inFleet({ held: old }),
      problem: undefined,
      paused: false,
      annotated: undefined,
      present: undefined,
    });
    expect(said?.message).toBe('revision bbbbbbbbbbbb is wanted; the node holds aaaaaaaaaaaa');
  });

  it('has a reason in CamelCase for every class of fault', () => {
    const classes: Record<NodeErrorClass, true> = {
      unreachable: true,
      'host-key-mismatch': true,
      'host-key-unknown': true,
      authentication: true,
      permission: true,
      'disk-full': true,
      protocol: true,
    };
    const reasons = Object.keys(classes).map((name) => nodeErrorReason(name as NodeErrorClass));
    expect(new Set(reasons).size).toBe(reasons.length);
    for (const reason of reasons) expect(reason).toMatch(/^([A-Z][a-z]+)+$/);
  });
});

describe('conditionOf and revisionOf', () => {
  it('read what a Node shows, and nothing where it shows nothing of ours', () => {
    const node = {
      metadata: { name: 'win-1', annotations: { 'mirrorgate.dev/revision': old } },
      status: {
        conditions: [
          { type: 'Ready', status: 'True' },
          {
            type: 'MirrorConfigSynced',
            status: 'False',
            reason: 'RevisionPending',
            message: 'm',
            lastTransitionTime: '2027-01-15T12:00:00Z',
          },
        ],
      },
    };
    expect(conditionOf(node)).toEqual({
      status: 'False',
      reason: 'RevisionPending',
      message: 'm',
      since: '2027-01-15T12:00:00Z',
    });
    expect(revisionOf(node)).toBe(old);
    for (const status of [undefined, {}, { conditions: null }, { conditions: [null, { type: 'Ready' }] }]) {
      expect(conditionOf({ metadata: { name: 'win-1' }, status })).toBeUndefined();
    }
    expect(revisionOf({ metadata: { name: 'win-1' } })).toBeUndefined();
  });
});
