import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Fleet } from '../../src/distribution/fleet.js';
import type { FleetEvent } from '../../src/distribution/fleet-event.js';
import { knownHostsFile } from '../../src/distribution/known-hosts-file.js';
import { openOverSftp } from '../../src/distribution/open-node.js';
import { openSession } from '../../src/distribution/sftp-session.js';
import { syncNode, type SyncResult } from '../../src/distribution/sync-node.js';
import { defaultRoot, type TargetNode } from '../../src/distribution/target-node.js';
import type { DesiredState } from '../../src/hosts/desired-state.js';
import type { SandboxNode } from '../../src/sandbox/sandbox-node.js';
import { generateSshKeyPair } from '../../src/sandbox/ssh-key-pair.js';
import { desiredState } from '../unit/distribution/desired.js';
import {
  changesOf,
  deadPort,
  directoriesOf,
  DistributionSite,
  putFile,
  treeOf,
} from './distribution-site.js';

const desired = desiredState({
  'docker.io': 'D1',
  'mirror.local_5000_': 'ML',
  'quay.io': 'Q'.repeat(100_000),
});
const wanted = {
  'docker.io/hosts.toml': 'D1',
  'mirror.local_5000_/hosts.toml': 'ML',
  'quay.io/hosts.toml': 'Q'.repeat(100_000),
};

let site: DistributionSite;
beforeEach(() => {
  site = new DistributionSite();
});
afterEach(() => site.close());

async function sync(target: TargetNode, state: DesiredState = desired): Promise<SyncResult> {
  const session = await openSession(target, site.hostKeys);
  try {
    return await syncNode(session, target.root, state, {
      randomSuffix: () => randomBytes(8).toString('hex'),
      pause: () => Promise.resolve(),
    });
  } finally {
    await session.close();
  }
}

describe('one node', () => {
  let node: SandboxNode;
  beforeEach(async () => {
    node = await site.start('win-1');
  });

  it('gets its root and every file at the first sync, and the session is over afterwards', async () => {
    const result = await sync(site.target(node));
    expect(treeOf(node)).toEqual(wanted);
    expect(result).toMatchObject({ written: Object.keys(wanted), unchanged: 0 });
    expect(node.sessionsBegun).toBe(1);
  });

  it('sees not one write when it is in sync', async () => {
    await sync(site.target(node));
    node.takeOperations();
    const result = await sync(site.target(node));
    const operations = node.takeOperations();
    expect(operations.length).toBeGreaterThan(0);
    expect(changesOf(operations)).toEqual([]);
    expect(result).toMatchObject({ written: [], removed: [], unchanged: 3, leftoversCleared: [] });
  });

  it('sees writes for the one file that has changed alone', async () => {
    await sync(site.target(node));
    node.takeOperations();
    const changed = desiredState({ ...Object.fromEntries(desired.files), 'docker.io': 'D2' });
    expect(await sync(site.target(node), changed)).toMatchObject({
      written: ['docker.io/hosts.toml'],
      unchanged: 2,
    });
    expect(treeOf(node)).toEqual({ ...wanted, 'docker.io/hosts.toml': 'D2' });
    expect(changesOf(node.takeOperations()).filter(({ path }) => !path.includes('/docker.io/'))).toEqual([]);
  });

  it('loses a stale file and its directory, and keeps what is somebody else’s', async () => {
    await sync(site.target(node));
    putFile(node, 'stale.io/hosts.toml', 'S');
    putFile(node, 'mixed.io/hosts.toml', 'S');
    putFile(node, 'mixed.io/ca.crt', 'C');
    putFile(node, 'notes.txt', 'N');
    const result = await sync(site.target(node));
    expect(result).toMatchObject({
      removed: ['mixed.io/hosts.toml', 'stale.io/hosts.toml'],
      foreign: ['mixed.io/ca.crt', 'notes.txt'],
    });
    expect(directoriesOf(node)).toEqual([
      'docker.io',
      'mirror.local_5000_',
      'mixed.io',
      'notes.txt',
      'quay.io',
    ]);
    expect(treeOf(node)).toEqual({ ...wanted, 'mixed.io/ca.crt': 'C', 'notes.txt': 'N' });
  });

  it('takes a directory that is spelled in another case for the same', async () => {
    putFile(node, 'QUAY.io/Hosts.toml', 'old');
    await sync(site.target(node));
    expect(directoriesOf(node)).toEqual(['QUAY.io', 'docker.io', 'mirror.local_5000_']);
    node.takeOperations();
    await sync(site.target(node));
    expect(changesOf(node.takeOperations())).toEqual([]);
  });

  it('holds whole files only, wherever the connection breaks, and the next run repairs it', async () => {
    const before = desiredState({ 'docker.io': 'old', 'stale.io': 'S' });
    const after = desiredState({ 'docker.io': 'new', 'quay.io': 'Q' });
    const target = site.target(node);
    await sync(target, before);
    node.takeOperations();
    await sync(target, after);
    const total = node.takeOperations().length;
    expect(total).toBeGreaterThan(20);

    for (let broken = 0; broken < total; broken += 1) {
      await sync(target, before);
      node.takeOperations();
      let seen = 0;
      node.interrupt = () => ((seen += 1) > broken ? 'drop' : 'continue');
      const outcome = await sync(target, after).catch((error: unknown) => error);
      node.interrupt = undefined;
      const left = treeOf(node);
      // The server has no atomic rename: between removing and renaming there may be no file, but never half a one.
      expect(['old', 'new', undefined]).toContain(left['docker.io/hosts.toml']);
      expect(['Q', undefined]).toContain(left['quay.io/hosts.toml']);
      expect(['S', undefined]).toContain(left['stale.io/hosts.toml']);
      // The very last request is a close, whose answer nobody needs.
      if (broken < total - 1) expect(outcome).toMatchObject({ class: 'unreachable' });

      await sync(target, after);
      expect(treeOf(node)).toEqual({ 'docker.io/hosts.toml': 'new', 'quay.io/hosts.toml': 'Q' });
      expect(directoriesOf(node)).toEqual(['docker.io', 'quay.io']);
    }
  }, 60_000);

  it.each([
    [
      'a full disk',
      { status: 4, message: 'No space left on device' },
      'disk-full',
      /the disk of the node is full/,
    ],
    [
      'a refusal',
      { status: 3 },
      'permission',
      /not allowed to write C:\\k\\containerd\\registries\\docker\.io/,
    ],
    ['any other failure', { status: 4 }, 'protocol', /could not write C:\\k\\containerd/],
  ] as const)('says which file meets %s', async (_, answer, kind, message) => {
    await sync(site.target(node), desiredState({ 'docker.io': 'old' }));
    node.interrupt = ({ kind: request }) =>
      request === 'write' || request === 'open-write' ? answer : 'continue';
    await expect(sync(site.target(node), desiredState({ 'docker.io': 'new' }))).rejects.toMatchObject({
      class: kind,
      message: expect.stringMatching(message) as string,
    });
    expect(treeOf(node)).toEqual({ 'docker.io/hosts.toml': 'old' });
  });

  it('is refused when its host key has changed: the message says how to accept it, and nothing is written', async () => {
    await sync(site.target(node), desiredState({ 'docker.io': 'old' }));
    const pinned = readFileSync(site.pins, 'utf8');
    const { port } = node;
    await node.close();
    const reinstalled = await site.start('reinstalled', { port });
    await expect(sync(site.target(reinstalled))).rejects.toMatchObject({
      class: 'host-key-mismatch',
      message: expect.stringMatching(/has changed: expected SHA256:\S+, found SHA256:\S+$/) as string,
      hint: expect.stringContaining(`remove line 1 of ${site.pins}`) as string,
    });
    expect(reinstalled.operations).toEqual([]);
    expect(reinstalled.sessionsBegun).toBe(0);
    expect(readFileSync(site.pins, 'utf8')).toBe(pinned);

    writeFileSync(site.pins, '');
    await sync(site.target(reinstalled));
    expect(treeOf(reinstalled)).toEqual(wanted);
  });
});

describe('a fleet', () => {
  let fleet: Fleet;
  let events: FleetEvent[];
  beforeEach(() => {
    events = [];
    fleet = new Fleet({
      open: openOverSftp(site.hostKeys, { readyTimeout: 5_000 }),
      observe: (event) => events.push(event),
    });
  });
  afterEach(() => fleet.stop());

  const startNodes = (count: number, latencyMs = 0): Promise<SandboxNode[]> =>
    Promise.all(Array.from({ length: count }, (_, index) => site.start(`win-${index}`, { latencyMs })));

  it('is in sync but for the node that is dead, which waits for its next try', async () => {
    const nodes = await startNodes(5);
    const dead = { name: 'dead', address: '127.0.0.1', port: await deadPort() } as const;
    fleet.setNodes([dead, ...nodes].map((node) => site.target(node)));
    fleet.setDesired(desired);
    const outcome = await fleet.whenSettled();

    expect(nodes.map(treeOf)).toEqual(nodes.map(() => wanted));
    expect(outcome.nodes.map(({ name, state }) => [name, state])).toEqual([
      ['dead', 'failed'],
      ...nodes.map(({ name }) => [name, 'synced']),
    ]);
    const [failed] = outcome.nodes;
    expect(failed).toMatchObject({
      lastError: { class: 'unreachable', message: `127.0.0.1:${dead.port} refused the connection` },
      attempts: 1,
    });
    expect(failed?.nextRetry).toBeGreaterThan(Date.now());
    expect(events.filter(({ type }) => type === 'host-key-pinned')).toHaveLength(5);
    await vi.waitFor(() => {
      expect(nodes.map(({ connections }) => connections)).toEqual([0, 0, 0, 0, 0]);
    });
    expect(readFileSync(site.pins, 'utf8').trim().split('\n')).toHaveLength(5);
  });

  it('tells a wrong user key and a wrong user, with what to do', async () => {
    const [node] = await startNodes(1);
    const stranger = generateSshKeyPair();
    fleet.setNodes([
      { ...site.target(node!), name: 'wrong-key', privateKey: stranger.privateKey },
      { ...site.target(node!), name: 'wrong-user', username: 'nobody' },
    ]);
    fleet.setDesired(desired);
    const { nodes } = await fleet.whenSettled();
    expect(nodes).toMatchObject([
      {
        lastError: {
          class: 'authentication',
          message: `127.0.0.1:${node!.port} refused user "Administrator" with a key of type ssh-ed25519`,
          hint: expect.stringContaining('C:\\ProgramData\\ssh\\administrators_authorized_keys') as string,
        },
      },
      { lastError: { class: 'authentication', message: expect.stringContaining('user "nobody"') as string } },
    ]);
    expect(node!.operations).toEqual([]);
    expect(existsSync(node!.resolve(defaultRoot))).toBe(false);
  });

  it('trusts only the nodes of a known_hosts file when it is given one', async () => {
    const [known, unknown] = await startNodes(2);
    writeFileSync(site.pins, `[127.0.0.1]:${known!.port} ${known!.hostKey}\n`);
    const strict = new Fleet({ open: openOverSftp(knownHostsFile(site.pins)) });
    strict.setNodes([site.target(known!), site.target(unknown!)]);
    strict.setDesired(desired);
    const { nodes } = await strict.whenSettled();
    await strict.stop();
    expect(nodes).toMatchObject([
      { state: 'synced' },
      {
        state: 'failed',
        lastError: { class: 'host-key-unknown', hint: expect.stringContaining('ssh-keyscan') as string },
      },
    ]);
    expect(unknown!.operations).toEqual([]);
  });

  it('goes over to a newer revision during a rollout, and ends with it on every node', async () => {
    const nodes = await startNodes(4);
    const next = desiredState({ 'quay.io': 'next' });
    const slow = new Fleet({
      open: openOverSftp(site.hostKeys),
      concurrency: 2,
      observe: (event) => {
        events.push(event);
        if (events.filter(({ type }) => type === 'synced').length === 1) slow.setDesired(next);
      },
    });
    slow.setNodes(nodes.map((node) => site.target(node)));
    slow.setDesired(desired);
    const outcome = await slow.whenSettled();
    await slow.stop();

    expect(outcome.nodes.map(({ state, held }) => [state, held])).toEqual(
      nodes.map(() => ['synced', next.revision]),
    );
    expect(nodes.map(treeOf)).toEqual(nodes.map(() => ({ 'quay.io/hosts.toml': 'next' })));
    const firstRevision = events.filter(
      (event) => event.type === 'syncing' && event.revision === desired.revision,
    );
    // Two were in flight at first; one may have begun while the newer revision was set.
    expect(firstRevision.length).toBeLessThan(4);
  });

  it('stops in the middle of a rollout with whole files only', async () => {
    const nodes = await startNodes(3, 1);
    const many = desiredState(
      Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`r${index}.io`, 'x'])),
    );
    const writing = new Promise<void>((resolve) => {
      nodes[0]!.interrupt = ({ kind }) => {
        if (kind === 'rename') resolve();
        return 'continue';
      };
    });
    fleet.setNodes(nodes.map((node) => site.target(node)));
    fleet.setDesired(many);
    await writing;
    await fleet.stop();
    const left = treeOf(nodes[0]!);
    expect(Object.keys(left).filter((path) => !path.endsWith('.io/hosts.toml'))).toEqual([]);
    expect(Object.keys(left).length).toBeGreaterThan(0);
    expect(Object.keys(left).length).toBeLessThan(300);
    await vi.waitFor(() => {
      expect(nodes.map(({ connections }) => connections)).toEqual([0, 0, 0]);
    });
  });

  it('puts back what somebody has changed on a node, when the node is read again', async () => {
    const [node] = await startNodes(1);
    fleet.setNodes([site.target(node!)]);
    fleet.setDesired(desired);
    await fleet.whenSettled();
    putFile(node!, 'docker.io/hosts.toml', 'D9');
    putFile(node!, 'quay.io/hosts.toml', '');
    fleet.syncNow('win-0');
    const { nodes } = await fleet.whenSettled();
    expect(treeOf(node!)).toEqual(wanted);
    expect(nodes[0]?.lastResult).toMatchObject({ written: ['docker.io/hosts.toml', 'quay.io/hosts.toml'] });
  });
});
