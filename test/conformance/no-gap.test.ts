import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fleet } from '../../src/distribution/fleet.js';
import { openOverSftp } from '../../src/distribution/open-node.js';
import { pinnedKeysFile } from '../../src/distribution/pinned-keys-file.js';
import { defaultRoot, type TargetNode } from '../../src/distribution/target-node.js';
import type { DesiredState } from '../../src/hosts/desired-state.js';
import { startSandboxNode } from '../../src/sandbox/sandbox-node.js';
import { generateSshKeyPair } from '../../src/sandbox/ssh-key-pair.js';
import { desiredState } from '../unit/distribution/desired.js';
import { HostsReader, type Missing, type Seen } from './hosts-reader.js';
import { filesOf, OpenSshSite, treeOf } from './openssh-site.js';
import { reportFigures } from './report-figures.js';
import { stampedFile } from './stamped-file.js';

const updates = 100;
const lasting = Array.from({ length: 8 }, (_, index) => `always-${index}.io`);

/** Every file of each revision differs from the last in content and length; other registries come and go. */
function revision(number: number): DesiredState {
  const sizes = [60, 2_000, 20_000];
  const registries = [...lasting, `only-${number}.io`, `pair-${number >> 1}.io`];
  return desiredState(
    Object.fromEntries(
      registries.map((registry, index) => [
        registry,
        stampedFile(registry, number, sizes[(index + number) % sizes.length] ?? 0),
      ]),
    ),
  );
}

/** Brings a node from revision to revision while a reader opens its files, in a local folder, all the time. */
async function readThroughUpdates(node: TargetNode, folder: string, pins: string): Promise<Seen> {
  const fleet = new Fleet({ open: openOverSftp(pinnedKeysFile(pins)) });
  let reader: HostsReader | undefined;
  try {
    fleet.setNodes([node]);
    for (let number = 0; number <= updates; number += 1) {
      const desired = revision(number);
      fleet.setDesired(desired);
      const outcome = await fleet.whenSettled();
      expect(outcome.nodes).toMatchObject([{ state: 'synced', held: desired.revision }]);
      reader ??= await HostsReader.start(folder, lasting);
    }
    const seen = await reader?.finish();
    if (seen === undefined) throw new Error('nothing was read');
    expect(treeOf(folder)).toEqual(filesOf(revision(updates)));
    return seen;
  } finally {
    reader?.stop();
    await fleet.stop();
  }
}

function figuresOf(seen: Seen): Record<string, number> {
  const { reads, missing, empty, half, revisions } = seen;
  return { updates, reads, missing: missing.length, empty, half, 'revisions seen': revisions };
}

/** What holds on every server: no file is seen empty, in part, or older than before; and enough was looked at. */
function expectWholeFiles(seen: Seen): void {
  expect(seen).toMatchObject({ empty: 0, half: 0, backwards: 0 });
  expect(seen.reads).toBeGreaterThan(10_000);
  expect(seen.revisions).toBeGreaterThan(updates / 2);
}

describe('files that are opened all the time while revisions change', () => {
  const cleanUps: (() => unknown)[] = [];
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'mirrorgate-no-gap-'));
  });
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
    rmSync(directory, { recursive: true });
  });

  it('are never missing, empty or half on OpenSSH, which replaces them in one step', async () => {
    const site = new OpenSshSite();
    cleanUps.push(() => site.close());
    const server = await site.start('server');
    const node = site.target(server);
    const seen = await readThroughUpdates(node, node.root, site.pins);
    reportFigures('No gap: OpenSSH, posix-rename', figuresOf(seen));
    expectWholeFiles(seen);
    expect(seen.missing).toEqual([]);
  }, 120_000);

  it('are missing between the steps of a server without posix-rename alone, and never empty or half', async () => {
    const key = generateSshKeyPair();
    const gaps = new GapRecord();
    const server = await startSandboxNode({
      name: 'win-1',
      directory: join(directory, 'win-1'),
      username: 'Administrator',
      authorizedKeys: [key.publicKey],
      onOperation: ({ kind, path, to }) => {
        gaps.note(kind, path, to);
      },
    });
    cleanUps.push(() => server.close());
    const { name, address, port, username } = server;
    const node = { name, address, port, username, privateKey: key.privateKey, root: defaultRoot };
    const seen = await readThroughUpdates(node, server.resolve(defaultRoot), join(directory, 'pins'));
    const share = (100 * seen.missing.length) / seen.reads;
    reportFigures('No gap: sandbox, remove and rename', {
      ...figuresOf(seen),
      'missing, in percent': share.toFixed(2),
      'replaced in two steps': gaps.count,
      'median time between the steps, in ms': gaps.medianMilliseconds().toFixed(2),
    });
    expectWholeFiles(seen);
    // Each file of each update but the first, which found nothing there.
    expect(gaps.count).toBe(updates * lasting.length + pairsRewritten);
    expect(seen.missing.filter((read) => !gaps.explains(read))).toEqual([]);
  }, 120_000);
});

/** Every second revision finds the registry of its pair there, and rewrites it. */
const pairsRewritten = updates / 2;

interface Gap {
  readonly registry: string;
  readonly from: bigint;
  readonly to: bigint;
}

/** The times between the removal of a file and the renaming of the next one to its name, as the server saw them. */
class GapRecord {
  readonly #gaps: Gap[] = [];
  readonly #open = new Map<string, bigint>();
  /** Renames that were asked for, and will have been carried out by the time of the next request. */
  readonly #closing: Omit<Gap, 'to'>[] = [];

  get count(): number {
    return this.#gaps.length + this.#closing.length;
  }

  note(kind: string, path: string, to: string | undefined): void {
    const now = process.hrtime.bigint();
    for (const gap of this.#closing.splice(0)) this.#gaps.push({ ...gap, to: now });
    if (kind === 'remove') this.#open.set(path, now);
    const from = kind === 'rename' && to !== undefined ? this.#open.get(to) : undefined;
    if (from === undefined || to === undefined) return;
    this.#open.delete(to);
    this.#closing.push({ registry: to.split('/').at(-2) ?? '', from });
  }

  /** True when the file was away for some of the time in which the read found none. */
  explains({ registry, from, to }: Missing): boolean {
    return this.#gaps.some((gap) => gap.registry === registry && gap.from <= to && from <= gap.to);
  }

  medianMilliseconds(): number {
    const lengths = this.#gaps.map(({ from, to }) => Number(to - from) / 1e6).sort((a, b) => a - b);
    return lengths[lengths.length >> 1] ?? 0;
  }
}
