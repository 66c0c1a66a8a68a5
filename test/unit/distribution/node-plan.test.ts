import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  planNode,
  type HeldDirectory,
  type HeldState,
  type NodePlan,
} from '../../../src/distribution/node-plan.js';
import type { RemoteEntry } from '../../../src/distribution/remote-files.js';
import { desiredState } from './desired.js';

const windows = { foldsCase: true };
/** There is nothing to do. */
const isInSync = ({ writes, removals, leftovers, emptied, blocked }: NodePlan): boolean =>
  [writes, removals, leftovers, emptied, blocked].every((steps) => steps.length === 0);
const file = (name: string): RemoteEntry => ({ name, kind: 'file', size: 1 });
const holding = (name: string, content: string, ...others: RemoteEntry[]): HeldDirectory => ({
  name,
  entries: [file('hosts.toml'), ...others],
  content: Buffer.from(content),
});
const held = (...directories: HeldDirectory[]): HeldState => ({ directories, others: [] });

describe('planNode', () => {
  it('writes everything to an empty node, in order', () => {
    const plan = planNode(held(), desiredState({ 'quay.io': 'Q', 'docker.io': 'D' }), windows);
    expect(plan.writes).toEqual([
      { directory: 'docker.io', file: 'hosts.toml', content: Buffer.from('D'), makeDirectory: true },
      { directory: 'quay.io', file: 'hosts.toml', content: Buffer.from('Q'), makeDirectory: true },
    ]);
    expect(plan).toMatchObject({
      removals: [],
      leftovers: [],
      emptied: [],
      unchanged: 0,
      foreign: [],
      blocked: [],
    });
  });

  it('finds nothing to do on a node in sync', () => {
    const plan = planNode(held(holding('quay.io', 'Q')), desiredState({ 'quay.io': 'Q' }), windows);
    expect(plan.unchanged).toBe(1);
    expect(isInSync(plan)).toBe(true);
  });

  it('writes what differs, and what was not read because it must differ', () => {
    const unread: HeldDirectory = { name: 'b.io', entries: [file('hosts.toml')], content: undefined };
    const plan = planNode(
      held(holding('a.io', 'old'), unread),
      desiredState({ 'a.io': 'A', 'b.io': 'B' }),
      windows,
    );
    expect(plan.writes.map(({ directory, makeDirectory }) => [directory, makeDirectory])).toEqual([
      ['a.io', false],
      ['b.io', false],
    ]);
  });

  it('removes a stale file with its directory, but keeps a directory that holds something else', () => {
    const plan = planNode(
      held(holding('gone.io', 'x'), holding('kept.io', 'x', file('ca.crt'))),
      desiredState({}),
      windows,
    );
    expect(plan.removals).toEqual([
      { directory: 'gone.io', file: 'hosts.toml' },
      { directory: 'kept.io', file: 'hosts.toml' },
    ]);
    expect(plan.emptied).toEqual(['gone.io']);
    expect(plan.foreign).toEqual(['kept.io/ca.crt']);
  });

  it('clears temporary files and empty directories of a run that died, and nobody else’s files', () => {
    const plan = planNode(
      held(
        holding('quay.io', 'Q', file('hosts.toml.0af3.mirrorgate-tmp'), file('hosts.toml.bak')),
        { name: 'new.io', entries: [file('hosts.toml.77.mirrorgate-tmp')], content: undefined },
        { name: 'empty.io', entries: [], content: undefined },
      ),
      desiredState({ 'quay.io': 'Q' }),
      windows,
    );
    expect(plan.leftovers.map(({ directory, file: name }) => `${directory}/${name}`)).toEqual([
      'new.io/hosts.toml.77.mirrorgate-tmp',
      'quay.io/hosts.toml.0af3.mirrorgate-tmp',
    ]);
    expect(plan.emptied).toEqual(['empty.io', 'new.io']);
    expect(plan.foreign).toEqual(['quay.io/hosts.toml.bak']);
    expect(isInSync(plan)).toBe(false);
  });

  it('leaves everything else alone: files in the root, directories with other things, links', () => {
    const plan = planNode(
      {
        directories: [
          {
            name: '_default',
            entries: [{ name: 'sub', kind: 'directory', size: undefined }],
            content: undefined,
          },
          {
            name: 'linked.io',
            entries: [{ name: 'hosts.toml', kind: 'other', size: 0 }],
            content: undefined,
          },
        ],
        others: [file('README.txt')],
      },
      desiredState({}),
      windows,
    );
    expect(plan.foreign).toEqual(['_default/sub/', 'linked.io/hosts.toml', 'README.txt']);
    expect(isInSync(plan)).toBe(true);
  });

  it('reports what stands in the way of a directory or a file, and plans the rest', () => {
    const plan = planNode(
      {
        directories: [
          {
            name: 'a.io',
            entries: [{ name: 'hosts.toml', kind: 'directory', size: undefined }],
            content: undefined,
          },
        ],
        others: [file('b.io')],
      },
      desiredState({ 'a.io': 'A', 'b.io': 'B', 'c.io': 'C' }),
      windows,
    );
    expect(plan.blocked).toEqual([
      { path: 'a.io/hosts.toml', needed: 'file' },
      { path: 'b.io', needed: 'directory' },
    ]);
    expect(plan.writes.map(({ directory }) => directory)).toEqual(['c.io']);
  });

  it('takes names that differ in case for the same on Windows, spelled as the node spells them', () => {
    const spelled: HeldDirectory = {
      name: 'Quay.IO',
      entries: [file('HOSTS.TOML')],
      content: Buffer.from('Q'),
    };
    expect(isInSync(planNode(held(spelled), desiredState({ 'quay.io': 'Q' }), windows))).toBe(true);
    expect(planNode(held(spelled), desiredState({ 'quay.io': 'new' }), windows).writes).toEqual([
      { directory: 'Quay.IO', file: 'HOSTS.TOML', content: Buffer.from('new'), makeDirectory: false },
    ]);
  });

  it('tells names that differ in case apart elsewhere', () => {
    const plan = planNode(held(holding('Quay.io', 'Q')), desiredState({ 'quay.io': 'Q' }), {
      foldsCase: false,
    });
    expect(plan.writes.map(({ directory }) => directory)).toEqual(['quay.io']);
    expect(plan.emptied).toEqual(['Quay.io']);
  });

  it.each(['..', '.', '', 'a/b', 'a\\b'])('will not plan a write outside the root (%j)', (directory) => {
    expect(() => planNode(held(), desiredState({ [directory]: 'x' }), windows)).toThrow(
      /single path segment/,
    );
  });

  it('counts every desired file exactly once, whatever a node holds', () => {
    const names = fc.constantFrom('a.io', 'b.io', 'C.io', 'c.io', 'd.io_5000_');
    const contents = fc.constantFrom('1', '2');
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(names, contents), { selector: ([name]) => name.toLowerCase() }),
        fc.dictionary(names, contents),
        (nodeHolds, wanted) => {
          const folded = Object.fromEntries(
            Object.entries(wanted).map(([name, text]) => [name.toLowerCase(), text]),
          );
          const plan = planNode(
            held(...nodeHolds.map(([name, text]) => holding(name, text))),
            desiredState(folded),
            windows,
          );
          expect(plan.writes.length + plan.unchanged).toBe(Object.keys(folded).length);
          expect(plan.removals.length).toBe(
            nodeHolds.filter(([name]) => !(name.toLowerCase() in folded)).length,
          );
        },
      ),
    );
  });
});
