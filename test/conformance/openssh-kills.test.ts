import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSession, type SftpSession } from '../../src/distribution/sftp-session.js';
import type { TargetNode } from '../../src/distribution/target-node.js';
import type { DesiredState } from '../../src/hosts/desired-state.js';
import { desiredState } from '../unit/distribution/desired.js';
import { HostsReader } from './hosts-reader.js';
import type { OpenSshServer } from './openssh-server.js';
import { entriesOf, filesOf, OpenSshSite, syncOver, treeOf } from './openssh-site.js';
import { killNow, whenGone } from './process-tree.js';
import { reportFigures } from './report-figures.js';
import { below, chosenSeed, seededRandom } from './seeded-random.js';
import { stampedFile } from './stamped-file.js';

const killsWanted = 50;
const lasting = Array.from({ length: 8 }, (_, index) => `always-${index}.io`);
const seed = chosenSeed();

let site: OpenSshSite;
beforeEach(() => {
  site = new OpenSshSite();
});
afterEach(() => site.close());

/** Every revision holds the lasting registries, in sizes of one SFTP packet and of many, and three of its own. */
function revision(number: number): DesiredState {
  const sizes = [40, 3_000, 70_000];
  const registries = [...lasting, ...[0, 1, 2].map((index) => `only-${number}-${index}.io`)];
  return desiredState(
    Object.fromEntries(
      registries.map((registry, index) => [
        registry,
        stampedFile(registry, number, sizes[(index + number) % sizes.length] ?? 0),
      ]),
    ),
  );
}

const kills = {
  /** The processes of the connection: the end of the node's SFTP server. */
  'the sessions': async (server: OpenSshServer) => server.killSessions(),
  /** One process of the connection; the rest finds out. */
  'a process of the session': async (server: OpenSshServer, random: () => number) => {
    const sessions = server.sessions();
    const victim = sessions[below(sessions.length, random)];
    if (victim !== undefined) killNow(victim);
    await whenGone(sessions);
  },
  /** The end of the whole service. */
  'the server': async (server: OpenSshServer) => server.kill(),
} satisfies Record<string, (server: OpenSshServer, random: () => number) => Promise<void>>;
type Kill = keyof typeof kills;

/** One run, which may fail: what it failed with. */
async function faultOf(
  opening: Promise<SftpSession>,
  target: TargetNode,
  desired: DesiredState,
): Promise<unknown> {
  try {
    const session = await opening;
    try {
      await syncOver(session, target, desired);
    } finally {
      await session.close();
    }
    return undefined;
  } catch (error) {
    return error;
  }
}

/** How long the parts of a run take here and now, in milliseconds. */
async function durations(
  target: TargetNode,
  desired: DesiredState,
): Promise<{ readonly connecting: number; readonly syncing: number }> {
  const from = performance.now();
  const opening = openSession(target, site.hostKeys);
  await opening;
  const connected = performance.now();
  expect(await faultOf(opening, target, desired)).toBeUndefined();
  return { connecting: connected - from, syncing: performance.now() - connected };
}

describe('a server that is killed at random moments of a run', () => {
  it(`leaves whole files at every moment, and the next run leaves nothing over (MIRRORGATE_SEED=${seed})`, async () => {
    const random = seededRandom(seed);
    const server = await site.start('server');
    const target = site.target(server);
    await site.sync(target, revision(0));
    const usual = await durations(target, revision(1));
    const reader = await HostsReader.start(target.root, lasting);
    site.onClose(() => {
      reader.stop();
    });

    const counts: Record<Kill, number> = {
      'the sessions': 0,
      'a process of the session': 0,
      'the server': 0,
    };
    let number = 1;
    let interrupted = 0;
    let halfWay = 0;
    let withLeftovers = 0;
    for (let tries = 0; interrupted < killsWanted; tries += 1) {
      expect(tries, 'runs that ended before the kill').toBeLessThan(4 * killsWanted);
      const before = treeOf(target.root);
      const desired = revision((number += 1));
      const kill = (Object.keys(kills) as Kill[])[below(3, random)]!;

      const opening = openSession(target, site.hostKeys);
      const run = faultOf(opening, target, desired);
      // A connection takes longer than the files: most kills are kept for these.
      const early = random() < 0.25;
      if (!early) await opening.catch(() => undefined);
      await sleep(random() * (early ? usual.connecting : usual.syncing));
      await kills[kill](server, random);
      const fault = await run;
      if (kill === 'the server') await server.restart();

      checkFiles(target, before, desired);
      if (fault === undefined) continue;
      expect(fault).toMatchObject({ class: 'unreachable' });
      interrupted += 1;
      counts[kill] += 1;
      const after = treeOf(target.root);
      if (Object.entries(after).some(([path, text]) => before[path] !== text)) halfWay += 1;
      if (Object.keys(after).some(isTemporary)) withLeftovers += 1;
    }

    const last = revision(number + 1);
    const clean = await site.sync(target, last);
    expect(treeOf(target.root)).toEqual(filesOf(last));
    expect(entriesOf(target.root)).toEqual([...last.files.keys(), ...Object.keys(filesOf(last))].sort());
    expect(clean.foreign).toEqual([]);
    expect(await site.sync(target, last)).toMatchObject({ written: [], removed: [], leftoversCleared: [] });

    const seen = await reader.finish();
    reportFigures('Killed OpenSSH servers', {
      'runs interrupted': interrupted,
      ...Object.fromEntries(Object.entries(counts).map(([kill, count]) => [`by the end of ${kill}`, count])),
      'with files written': halfWay,
      'with leftovers': withLeftovers,
      reads: seen.reads,
      missing: seen.missing.length,
      empty: seen.empty,
      half: seen.half,
    });
    expect(halfWay).toBeGreaterThan(killsWanted / 5);
    expect(withLeftovers).toBeGreaterThan(0);
    expect(seen).toMatchObject({ missing: [], empty: 0, half: 0, backwards: 0 });
    expect(seen.reads).toBeGreaterThan(10_000);
  }, 120_000);
});

function isTemporary(path: string): boolean {
  return path.endsWith('.mirrorgate-tmp');
}

/** Every file is what it was, or what it shall be; one that both have is there; others are temporary. */
function checkFiles(
  target: TargetNode,
  before: Readonly<Record<string, string>>,
  desired: DesiredState,
): void {
  const held = treeOf(target.root);
  const wanted = filesOf(desired);
  for (const path of new Set([...Object.keys(before), ...Object.keys(wanted), ...Object.keys(held)])) {
    if (isTemporary(path)) continue;
    const allowed = new Set([before[path], wanted[path]]);
    if (!allowed.has(held[path])) throw new Error(`${path} is neither what it was nor what it shall be`);
  }
}
