import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Fleet, type FleetOptions } from '../../src/distribution/fleet.js';
import type { FleetEvent } from '../../src/distribution/fleet-event.js';
import { openOverSftp } from '../../src/distribution/open-node.js';
import type { TargetNode } from '../../src/distribution/target-node.js';
import type { DesiredState } from '../../src/hosts/desired-state.js';
import { desiredState } from '../unit/distribution/desired.js';
import { filesOf, OpenSshSite, treeOf } from './openssh-site.js';
import { reportFigures } from './report-figures.js';
import { chosenSeed, seededRandom } from './seeded-random.js';
import { SlowLink } from './slow-link.js';
import { stampedFile } from './stamped-file.js';

let site: OpenSshSite;
let events: FleetEvent[];
beforeEach(() => {
  site = new OpenSshSite();
  events = [];
});
afterEach(() => site.close());

function startFleet(options: Partial<FleetOptions> = {}): Fleet {
  const fleet = new Fleet({
    open: openOverSftp(site.hostKeys),
    observe: (event) => events.push(event),
    ...options,
  });
  site.onClose(() => fleet.stop());
  return fleet;
}

async function startLink(to: number, delay: number): Promise<SlowLink> {
  const link = await SlowLink.start({ to, delay });
  site.onClose(() => link.close());
  return link;
}

function revision(number: number, files: number, bytes = 200): DesiredState {
  const registries = Array.from({ length: files }, (_, index) => `registry-${index}.example`);
  return desiredState(
    Object.fromEntries(registries.map((registry) => [registry, stampedFile(registry, number, bytes)])),
  );
}

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `win-${index}`);

describe('a server that turns most connections away (MaxStartups)', () => {
  const seed = chosenSeed();

  it(`gets every node behind it in sync, by waiting and trying again (MIRRORGATE_SEED=${seed})`, async () => {
    const server = await site.start('server', { settings: ['MaxStartups 2:100:4'] });
    const nodes = names(30).map((name) => site.target(server, name));
    const fleet = startFleet({
      concurrency: 10,
      backoff: { shortest: 20, longest: 200 },
      random: seededRandom(seed),
    });
    const desired = revision(1, 3);
    fleet.setNodes(nodes);
    fleet.setDesired(desired);
    await vi.waitFor(
      () => {
        expect(fleet.status().filter(({ state }) => state !== 'synced')).toEqual([]);
      },
      { timeout: 50_000, interval: 20 },
    );

    expect(nodes.map(({ root }) => treeOf(root))).toEqual(nodes.map(() => filesOf(desired)));
    const failed = events.filter((event) => event.type === 'failed');
    reportFigures('OpenSSH with MaxStartups', {
      nodes: nodes.length,
      'connections turned away': failed.length,
    });
    expect(server.log()).toMatch(/MaxStartups/);
    expect(failed.length).toBeGreaterThan(0);
    for (const { error } of failed) {
      expect(error).toMatchObject({
        class: 'unreachable',
        message: expect.stringMatching(/closed the connection/) as string,
      });
    }
  });
});

describe('a wire that adds 300 ms to each round trip', () => {
  it('is waited for a bounded number of times, however many files and nodes there are', async () => {
    const server = await site.start('server', { settings: ['MaxStartups 100'] });
    const [old, desired, few] = [revision(1, 200), revision(2, 200), revision(1, 4)];

    /** Round trips of one run that brings a node from one state to another. */
    const roundTripsOf = async (name: string, from: DesiredState | undefined, to: DesiredState) => {
      const near = site.target(server, name);
      const link = await startLink(server.port, 300);
      if (from !== undefined) await site.sync(near, from);
      await site.sync({ ...near, port: link.port }, to);
      expect(treeOf(near.root)).toEqual(filesOf(to));
      return Math.max(...link.roundTrips);
    };
    const roundTripsOfFleet = async (): Promise<number> => {
      const link = await startLink(server.port, 300);
      const nodes = names(50).map((name) => ({ ...site.target(server, name), port: link.port }));
      const fleet = startFleet({ concurrency: nodes.length });
      fleet.setNodes(nodes);
      fleet.setDesired(few);
      await fleet.whenSettled();
      expect(nodes.map(({ root }) => treeOf(root))).toEqual(nodes.map(() => filesOf(few)));
      expect(link.roundTrips).toHaveLength(nodes.length);
      return Math.max(...link.roundTrips);
    };

    const [first, changed, same, many] = await Promise.all([
      roundTripsOf('first', undefined, desired),
      roundTripsOf('changed', old, desired),
      roundTripsOf('same', desired, desired),
      roundTripsOfFleet(),
    ]);
    reportFigures('Round trips over a wire of 300 ms', {
      'first sync of 200 files': first,
      '200 changed files': changed,
      '200 files in sync': same,
      'first sync of 4 files, most of 50 nodes': many,
    });
    expect(events.filter(({ type }) => type === 'failed')).toEqual([]);
    // To connect and log in takes 9. A file takes 7, and 64 files share them; each step is waited for by all of them.
    expect(first).toBeLessThanOrEqual(60);
    expect(changed).toBeLessThanOrEqual(65);
    expect(same).toBeLessThanOrEqual(40);
    expect(many).toBeLessThanOrEqual(30);
  });
});

describe('a wire on which nothing passes any more', () => {
  const old = revision(1, 12);
  const desired = revision(2, 12, 30_000);

  it.each([
    ['from the start', 0, /did not answer within 0\.5 s \(while waiting for the SSH handshake\)/],
    ['while shaking hands', 1_000, /did not answer within 0\.5 s \(while waiting for /],
    ['while files are written', 100_000, /gave no answer over SFTP within 0\.5 s/],
  ])('%s: that node is unreachable, and the others go on', async (_, bytes, message) => {
    const server = await site.start('server');
    const link = await startLink(server.port, 0);
    const [slow, ...others] = names(6).map((name) => site.target(server, name)) as [
      TargetNode,
      ...TargetNode[],
    ];
    const stalled = { ...slow, port: link.port };
    for (const node of [stalled, ...others]) await site.sync(node, old);
    const impatient = openOverSftp(site.hostKeys, { readyTimeout: 500, requestTimeout: 500 });
    const patient = openOverSftp(site.hostKeys);
    const fleet = startFleet({
      concurrency: 2,
      open: (node, options) => (node.name === stalled.name ? impatient : patient)(node, options),
    });

    link.stallAfter(bytes);
    fleet.setNodes([stalled, ...others]);
    fleet.setDesired(desired);
    const { nodes } = await fleet.whenSettled();
    expect(nodes.map(({ state }) => state)).toEqual(['failed', ...others.map(() => 'synced')]);
    expect(nodes[0]?.lastError).toMatchObject({
      class: 'unreachable',
      message: expect.stringMatching(message) as string,
    });
    for (const { root } of others) expect(treeOf(root)).toEqual(filesOf(desired));
    for (const [path, text] of Object.entries(treeOf(stalled.root))) {
      if (path.endsWith('.mirrorgate-tmp')) continue;
      expect([filesOf(old)[path], filesOf(desired)[path]]).toContain(text);
    }

    link.stallAfter(Infinity);
    await site.sync(stalled, desired);
    expect(treeOf(stalled.root)).toEqual(filesOf(desired));
  });
});
