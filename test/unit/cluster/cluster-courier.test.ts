import { describe, expect, it, vi } from 'vitest';
import { ClusterCourier } from '../../../src/cluster/cluster-courier.js';
import type { EventToRecord } from '../../../src/cluster/event-series.js';
import type { KubeObject } from '../../../src/cluster/kube-object.js';
import type { NodeProblem } from '../../../src/cluster/node-problem.js';
import type { NodeStanding, NodeStatusWriter } from '../../../src/cluster/node-status-writer.js';
import { NodeError } from '../../../src/distribution/node-error.js';
import type { NodeSession } from '../../../src/distribution/open-node.js';
import type { TargetNode } from '../../../src/distribution/target-node.js';
import { desiredState } from '../distribution/desired.js';

const target: TargetNode = {
  name: 'win-1',
  address: '192.0.2.1',
  port: 22,
  username: 'Administrator',
  privateKey: 'key',
  root: '/registries',
};
const nothing = desiredState({});
const something = desiredState({ 'quay.io': 'one' });

/** A node that is empty and stays so: in sync with the empty state, and wrong for any other. */
const emptySession: NodeSession = {
  list: () => Promise.resolve([]),
  read: () => Promise.resolve(undefined),
  create: () => Promise.reject(new NodeError('disk-full', 'the disk is full', 'free some')),
  replace: () => Promise.resolve(),
  remove: () => Promise.resolve(false),
  makeDirectory: () => Promise.resolve(),
  removeDirectory: () => Promise.resolve(false),
  close: () => Promise.resolve(),
};

function makeCourier() {
  const steps: string[] = [];
  const shown = new Map<string, NodeStanding>();
  const recorded: EventToRecord[] = [];
  const state = {
    holds: true,
    nodes: new Map<string, KubeObject>([['win-1', { metadata: { name: 'win-1' } }]]),
    problems: [] as NodeProblem[],
  };
  const writer = {
    set: (name: string, standing: NodeStanding) => {
      shown.set(name, standing);
      steps.push(`${name} ${standing.condition.status} ${standing.condition.reason}`);
    },
    urgent: () => {
      steps.push('urgent');
      return Promise.resolve();
    },
    clear: () => {
      steps.push('clear');
    },
  } as unknown as NodeStatusWriter;
  const courier = new ClusterCourier({
    open: () => {
      steps.push('open');
      return Promise.resolve(emptySession);
    },
    holds: () => state.holds,
    nodes: { current: () => state.nodes, onChange: () => () => undefined },
    problems: () => state.problems,
    paused: () => new Set(),
    writer,
    recorder: { record: (event) => recorded.push(event) },
    onFleet: () => undefined,
  });
  return { courier, steps, shown, recorded, state };
}

describe('ClusterCourier', () => {
  it('says that a node is not known to be in sync before it goes there, and that it is after that', async () => {
    const { courier, steps } = makeCourier();
    await courier.lead();
    await courier.setDesired(nothing);
    courier.setNodes([target]);
    await vi.waitFor(() => {
      expect(steps.at(-1)).toBe('win-1 True Synced');
    });
    expect(steps.slice(0, steps.indexOf('open')).filter((step) => step !== 'urgent')).toEqual(
      expect.arrayContaining(['win-1 Unknown NotObserved']),
    );
    expect(steps.indexOf('urgent')).toBeLessThan(steps.indexOf('open'));
    expect(steps.indexOf('win-1 True Synced')).toBeGreaterThan(steps.indexOf('open'));
    await courier.standDown();
  });

  it('takes back that a node is in sync as soon as another revision is announced', async () => {
    const { courier, steps, shown } = makeCourier();
    await courier.lead();
    await courier.setDesired(nothing);
    courier.setNodes([target]);
    await vi.waitFor(() => {
      expect(steps.at(-1)).toBe('win-1 True Synced');
    });
    courier.announce(something.revision);
    expect(shown.get('win-1')?.condition).toMatchObject({ status: 'False', reason: 'RevisionPending' });

    await courier.setDesired(nothing);
    expect(shown.get('win-1')?.condition).toMatchObject({ status: 'True', reason: 'Synced' });
    await courier.standDown();
  });

  it('says why a node is not in sync, as condition and as Event', async () => {
    const { courier, shown, recorded } = makeCourier();
    await courier.lead();
    await courier.setDesired(something);
    courier.setNodes([target]);
    await vi.waitFor(() => {
      expect(shown.get('win-1')?.condition).toEqual({
        status: 'False',
        reason: 'DiskFull',
        message: 'the disk is full; free some',
      });
    });
    expect(recorded).toEqual([
      {
        regarding: { apiVersion: 'v1', kind: 'Node', name: 'win-1' },
        type: 'Warning',
        reason: 'DiskFull',
        action: 'Sync',
        note: 'the disk is full; free some',
      },
    ]);
    await courier.standDown();
  });

  it('says what keeps a node from being looked after', async () => {
    const { courier, shown, state } = makeCourier();
    state.problems = [
      { node: 'win-1', reason: 'NoAddress', message: 'it has no address', hint: 'give it one' },
    ];
    await courier.lead();
    await courier.setDesired(nothing);
    courier.setNodes([]);
    expect(shown.get('win-1')?.condition).toMatchObject({ status: 'False', reason: 'NoAddress' });
    await courier.standDown();
  });

  it('says nothing while it does not lead, and wants nothing any more when it stands down', async () => {
    const { courier, steps, state } = makeCourier();
    await courier.setDesired(nothing);
    courier.setNodes([target]);
    courier.announce(something.revision);
    expect(steps).toEqual([]);

    await courier.lead();
    state.holds = false;
    steps.length = 0;
    courier.refresh();
    expect(steps).toEqual([]);
    await courier.standDown();
    expect(steps).toEqual(['clear']);
  });

  it('shows nothing at an instance that has no Node yet', async () => {
    const { courier, shown, recorded, state } = makeCourier();
    state.nodes = new Map();
    await courier.lead();
    await courier.setDesired(something);
    courier.setNodes([target]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(shown.size).toBe(0);
    expect(recorded).toEqual([]);
    await courier.standDown();
  });
});
