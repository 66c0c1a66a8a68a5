import { describe, expect, it, vi } from 'vitest';
import { LeadingFleet, type LeadingFleetOptions } from '../../../src/cluster/leading-fleet.js';
import type { NodeSession } from '../../../src/distribution/open-node.js';
import type { TargetNode } from '../../../src/distribution/target-node.js';
import type { FleetEvent } from '../../../src/distribution/fleet-event.js';
import { desiredState } from '../distribution/desired.js';

const node: TargetNode = {
  name: 'win-1',
  address: '192.0.2.1',
  port: 22,
  username: 'Administrator',
  privateKey: 'key',
  root: '/registries',
};
const first = desiredState({ 'quay.io': 'one' });
const second = desiredState({ 'quay.io': 'two' });

/** A node's files in memory. `hold` keeps every rename waiting until it is let go. */
function memoryNode() {
  const files = new Map<string, Buffer>();
  let gate: Promise<void> | undefined;
  let release: () => void = () => undefined;
  const writes: string[] = [];
  const session: NodeSession = {
    list: (directory) =>
      Promise.resolve(
        directory === node.root
          ? [...new Set([...files.keys()].map((path) => path.split('/')[2]!))].map((name) => ({
              name,
              kind: 'directory' as const,
              size: undefined,
            }))
          : [...files].flatMap(([path, { length }]) =>
              path.startsWith(`${directory}/`)
                ? [{ name: path.slice(directory.length + 1), kind: 'file' as const, size: length }]
                : [],
            ),
      ),
    read: (path) => Promise.resolve(files.get(path)),
    create: (path, content) => {
      files.set(path, content);
      return Promise.resolve();
    },
    replace: async (from, to) => {
      await gate;
      files.set(to, files.get(from)!);
      files.delete(from);
      writes.push(to);
    },
    remove: (path) => Promise.resolve(files.delete(path)),
    makeDirectory: () => Promise.resolve(),
    removeDirectory: () => Promise.resolve(true),
    close: () => Promise.resolve(),
  };
  return {
    session,
    files,
    writes,
    hold() {
      gate = new Promise((resolve) => {
        release = resolve;
      });
    },
    letGo() {
      gate = undefined;
      release();
    },
  };
}

function makeFleet(given: Partial<LeadingFleetOptions> = {}) {
  const remote = memoryNode();
  const events: FleetEvent[] = [];
  const wanted: string[] = [];
  const state = { holds: true };
  const open = vi.fn(() => Promise.resolve(remote.session));
  const fleet = new LeadingFleet({
    open,
    holds: () => state.holds,
    onWanted: (revision) => void wanted.push(revision),
    onEvent: (event) => events.push(event),
    ...given,
  });
  const content = () => remote.files.get('/registries/quay.io/hosts.toml')?.toString();
  return { fleet, remote, events, wanted, state, open, content };
}

describe('LeadingFleet', () => {
  it('touches no node before it leads, and then brings what was known all along', async () => {
    const { fleet, open, content, wanted } = makeFleet();
    await fleet.setDesired(first);
    fleet.setNodes([node]);
    expect(fleet.status()).toBeUndefined();
    expect(open).not.toHaveBeenCalled();
    expect(wanted).toEqual([]);

    await fleet.lead();
    await vi.waitFor(() => {
      expect(content()).toBe('one');
    });
    expect(wanted).toEqual([first.revision]);
  });

  it('tells what is wanted before any node is brought to it', async () => {
    const steps: string[] = [];
    let prepared: () => void = () => undefined;
    const { fleet, open } = makeFleet({
      onWanted: () =>
        new Promise<void>((resolve) => {
          steps.push('wanted');
          prepared = resolve;
        }),
    });
    open.mockImplementation(() => {
      steps.push('open');
      return Promise.reject(new Error('enough'));
    });
    fleet.setNodes([node]);
    void fleet.setDesired(first);
    void fleet.lead();
    await vi.waitFor(() => {
      expect(steps).toEqual(['wanted']);
    });
    prepared();
    await vi.waitFor(() => {
      expect(steps).toEqual(['wanted', 'open']);
    });
    await fleet.standDown();
  });

  it('announces only while it leads', async () => {
    const { fleet, wanted } = makeFleet();
    fleet.announce(second.revision);
    expect(wanted).toEqual([]);
    await fleet.lead();
    fleet.announce(second.revision);
    expect(wanted).toEqual([second.revision]);
    await fleet.standDown();
  });

  it('finishes the file it is at when it stands down, and begins no other', async () => {
    const { fleet, remote, open, content } = makeFleet();
    await fleet.setDesired(desiredState({ 'quay.io': 'one', 'docker.io': 'two' }));
    fleet.setNodes([node]);
    remote.hold();
    await fleet.lead();
    await vi.waitFor(() => {
      expect(remote.files.size).toBeGreaterThan(0);
    });
    const ended = fleet.standDown();
    remote.letGo();
    await ended;
    expect(fleet.status()).toBeUndefined();
    const written = remote.writes.length;
    await fleet.setDesired(first);
    fleet.setNodes([node]);
    expect(remote.writes).toHaveLength(written);
    expect(open).toHaveBeenCalledTimes(1);
    expect(content() === undefined || content() === 'one').toBe(true);
  });

  it('does not begin a term before its last one has ended', async () => {
    const { fleet, remote, open } = makeFleet();
    await fleet.setDesired(first);
    fleet.setNodes([node]);
    remote.hold();
    await fleet.lead();
    await vi.waitFor(() => {
      expect(remote.files.size).toBeGreaterThan(0);
    });
    const ended = fleet.standDown();
    const again = fleet.lead();
    await Promise.resolve();
    expect(open).toHaveBeenCalledTimes(1);
    remote.letGo();
    await ended;
    await again;
    await vi.waitFor(() => {
      expect(open).toHaveBeenCalledTimes(2);
    });
    await fleet.standDown();
  });

  it('asks nothing of a node once the Lease is not held for sure, though nobody has told it to stand down', async () => {
    const { fleet, remote, state, events, content } = makeFleet();
    await fleet.setDesired(first);
    fleet.setNodes([node]);
    await fleet.lead();
    await vi.waitFor(() => {
      expect(events.at(-1)?.type).toBe('synced');
    });
    const told = events.length;

    state.holds = false;
    await fleet.setDesired(second);
    await vi.waitFor(() => {
      expect(fleet.status()?.[0]?.state).toBe('failed');
    });
    expect(content()).toBe('one');
    expect(remote.writes).toHaveLength(1);
    expect(events).toHaveLength(told);
    await fleet.standDown();
  });
});
