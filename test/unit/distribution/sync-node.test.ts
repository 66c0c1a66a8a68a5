import { describe, expect, it } from 'vitest';
import { NodeError } from '../../../src/distribution/node-error.js';
import { syncNode, type SyncOptions } from '../../../src/distribution/sync-node.js';
import { countingSuffix, desiredState } from './desired.js';
import { MemoryFiles, type MemoryOperation } from './memory-files.js';

const root = 'C:\\k\\containerd\\registries';
const at = '/C:/k/containerd/registries';
const three = desiredState({ 'docker.io': 'D', 'mcr.microsoft.com': 'M', 'quay.io': 'Q' });
const holdingThree = (): MemoryFiles =>
  new MemoryFiles()
    .put(`${at}/docker.io/hosts.toml`, 'D')
    .put(`${at}/mcr.microsoft.com/hosts.toml`, 'M')
    .put(`${at}/quay.io/hosts.toml`, 'Q');
const options = (more: Partial<SyncOptions> = {}): SyncOptions => ({
  randomSuffix: countingSuffix(),
  pause: () => Promise.resolve(),
  ...more,
});

describe('syncNode', () => {
  it('makes the root and what is above it, and writes every file', async () => {
    const files = new MemoryFiles().putDirectory('/C:');
    const result = await syncNode(files, root, three, options());
    expect(files.tree(at)).toEqual({
      'docker.io/hosts.toml': 'D',
      'mcr.microsoft.com/hosts.toml': 'M',
      'quay.io/hosts.toml': 'Q',
    });
    expect(result).toEqual({
      written: ['docker.io/hosts.toml', 'mcr.microsoft.com/hosts.toml', 'quay.io/hosts.toml'],
      removed: [],
      unchanged: 0,
      foreign: [],
      leftoversCleared: [],
    });
  });

  it('only reads a node in sync', async () => {
    const files = holdingThree().put(`${at}/_default/ca.crt`, 'foreign');
    const result = await syncNode(files, root, three, options());
    expect(files.changes).toEqual([]);
    expect(result).toMatchObject({ written: [], removed: [], unchanged: 3, foreign: ['_default/ca.crt'] });
  });

  it('makes nothing on a node without a root when nothing is desired', async () => {
    const files = new MemoryFiles();
    await syncNode(files, root, desiredState({}), options());
    expect(files.operations).toEqual([`list ${at}`]);
  });

  it('writes the one file that differs, beside it and then over it, and reads it back', async () => {
    const files = holdingThree().put(`${at}/quay.io/hosts.toml`, 'X');
    const result = await syncNode(files, root, three, options());
    expect(files.changes).toEqual([
      `create ${at}/quay.io/hosts.toml.01.mirrorgate-tmp`,
      `replace ${at}/quay.io/hosts.toml`,
    ]);
    expect(files.operations.at(-1)).toBe(`read ${at}/quay.io/hosts.toml`);
    expect(result).toMatchObject({ written: ['quay.io/hosts.toml'], unchanged: 2 });
  });

  it('does not read files that must differ, by size or because nothing asks for them', async () => {
    const files = holdingThree()
      .put(`${at}/quay.io/hosts.toml`, 'longer')
      .put(`${at}/stale.io/hosts.toml`, 'S');
    files.before = (operation) => {
      if (operation === `read ${at}/stale.io/hosts.toml`) throw new Error('read');
    };
    await syncNode(files, root, three, options());
    expect(files.operations.filter((operation) => operation.startsWith(`read ${at}/quay.io`))).toHaveLength(
      1,
    );
  });

  it('writes first and removes what is stale last', async () => {
    const files = holdingThree()
      .put(`${at}/quay.io/hosts.toml`, 'X')
      .put(`${at}/stale.io/hosts.toml`, 'S')
      .put(`${at}/mixed.io/hosts.toml`, 'S')
      .put(`${at}/mixed.io/notes.txt`, 'mine');
    const result = await syncNode(files, root, three, options());
    const kinds = files.changes.map((operation) => operation.split(' ')[0]);
    expect(kinds).toEqual(['create', 'replace', 'remove', 'remove', 'removeDirectory']);
    expect(result.removed).toEqual(['mixed.io/hosts.toml', 'stale.io/hosts.toml']);
    expect(result.foreign).toEqual(['mixed.io/notes.txt']);
    expect(files.hasDirectory(`${at}/stale.io`)).toBe(false);
    expect(files.tree(at)).toHaveProperty('mixed.io/notes.txt', 'mine');
  });

  it('clears what a run that died has left, and says so', async () => {
    const files = holdingThree()
      .put(`${at}/quay.io/hosts.toml.9f.mirrorgate-tmp`, 'half')
      .put(`${at}/new.io/hosts.toml.9e.mirrorgate-tmp`, 'half')
      .putDirectory(`${at}/empty.io`);
    const result = await syncNode(files, root, three, options());
    expect(result.leftoversCleared).toEqual([
      'empty.io/',
      'new.io/',
      'new.io/hosts.toml.9e.mirrorgate-tmp',
      'quay.io/hosts.toml.9f.mirrorgate-tmp',
    ]);
    expect(result.removed).toEqual([]);
    expect(Object.keys(files.tree(at))).toHaveLength(3);
    expect(files.hasDirectory(`${at}/empty.io`)).toBe(false);
  });

  it('dies at any operation with whole files only, and the next run completes it', async () => {
    const before = (): MemoryFiles =>
      new MemoryFiles()
        .put(`${at}/docker.io/hosts.toml`, 'old D')
        .put(`${at}/stale.io/hosts.toml`, 'S')
        .put(`${at}/quay.io/hosts.toml`, 'Q');
    const rehearsal = before();
    await syncNode(rehearsal, root, three, options());
    const total = rehearsal.operations.length;
    expect(total).toBeGreaterThan(10);

    for (let dead = 0; dead < total; dead += 1) {
      const files = before();
      files.before = () => {
        // From here on nothing gets through, the clean-up included.
        if (files.operations.length > dead) throw new NodeError('unreachable', 'dropped', '-');
      };
      await expect(syncNode(files, root, three, options())).rejects.toMatchObject({ class: 'unreachable' });
      const left = files.tree(at);
      expect(['old D', 'D']).toContain(left['docker.io/hosts.toml']);
      expect([undefined, 'M']).toContain(left['mcr.microsoft.com/hosts.toml']);
      expect([undefined, 'S']).toContain(left['stale.io/hosts.toml']);
      expect(left['quay.io/hosts.toml']).toBe('Q');

      files.before = () => undefined;
      await syncNode(files, root, three, options({ randomSuffix: () => 'ff' }));
      expect(files.tree(at)).toEqual(rehearsal.tree(at));
      expect(files.hasDirectory(`${at}/stale.io`)).toBe(false);
    }
  });

  it('tries again when a file cannot be replaced because somebody reads it', async () => {
    const files = holdingThree().put(`${at}/quay.io/hosts.toml`, 'X');
    const pauses: number[] = [];
    let refusals = 2;
    files.before = (operation) => {
      if (operation.startsWith('replace') && (refusals -= 1) >= 0)
        throw new NodeError('permission', 'in use', '-');
    };
    const pause = (milliseconds: number): Promise<void> => {
      pauses.push(milliseconds);
      return Promise.resolve();
    };
    await syncNode(files, root, three, options({ pause }));
    expect(files.tree(at)['quay.io/hosts.toml']).toBe('Q');
    expect(pauses).toEqual([50, 200]);
  });

  it('gives up on a file that stays locked, and leaves no temporary file', async () => {
    const files = holdingThree().put(`${at}/quay.io/hosts.toml`, 'X');
    files.before = (operation) => {
      if (operation.startsWith('replace')) throw new NodeError('permission', 'in use', '-');
    };
    await expect(syncNode(files, root, three, options())).rejects.toMatchObject({ class: 'permission' });
    expect(files.operations.filter((operation) => operation.startsWith('replace'))).toHaveLength(4);
    expect(files.tree(at)['quay.io/hosts.toml']).toBe('X');
    expect(Object.keys(files.tree(at))).toHaveLength(3);
  });

  it('notices that a file does not hold what was written', async () => {
    const files = holdingThree().put(`${at}/quay.io/hosts.toml`, 'X');
    files.before = (operation) => {
      if (operation === `read ${at}/quay.io/hosts.toml` && files.changes.length > 0) {
        files.put(`${at}/quay.io/hosts.toml`, 'somebody else');
      }
    };
    await expect(syncNode(files, root, three, options())).rejects.toMatchObject({
      class: 'protocol',
      message: 'C:\\k\\containerd\\registries\\quay.io\\hosts.toml does not hold what was written to it',
    });
  });

  it('does everything else before it reports what stands in the way', async () => {
    const files = new MemoryFiles().put(`${at}/quay.io`, 'a file').put(`${at}/stale.io/hosts.toml`, 'S');
    await expect(syncNode(files, root, three, options())).rejects.toMatchObject({
      class: 'protocol',
      message: 'C:\\k\\containerd\\registries\\quay.io is not a directory, and a directory is needed there',
    });
    expect(files.tree(at)).toEqual({
      'docker.io/hosts.toml': 'D',
      'mcr.microsoft.com/hosts.toml': 'M',
      'quay.io': 'a file',
    });
  });

  it('stops between two files when it is aborted, with the one under way finished', async () => {
    const files = new MemoryFiles().putDirectory(at);
    const stop = new AbortController();
    files.before = (operation) => {
      if (operation.startsWith('create')) stop.abort();
    };
    await expect(syncNode(files, root, three, options({ signal: stop.signal, parallel: 1 }))).rejects.toThrow(
      /aborted/,
    );
    expect(files.tree(at)).toEqual({ 'docker.io/hosts.toml': 'D' });
  });

  it('refuses a root that is no path of its own', async () => {
    const files = new MemoryFiles();
    await expect(syncNode(files, 'C:\\', three, options())).rejects.toMatchObject({ class: 'protocol' });
    expect(files.operations).toEqual([]);
  });

  it('keeps many directories in flight, but not more than it is told', async () => {
    const many = desiredState(
      Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`r${index}.io`, 'x'])),
    );
    const files = new MemoryFiles();
    for (const directory of many.files.keys()) files.put(`${at}/${directory}/hosts.toml`, 'x');
    let reading = 0;
    let most = 0;
    files.before = (operation: MemoryOperation) => {
      if (operation.startsWith(`list ${at}/`)) most = Math.max(most, (reading += 1));
      if (operation.startsWith(`read ${at}/`)) reading -= 1;
    };
    await syncNode(files, root, many, options({ parallel: 4 }));
    expect(most).toBe(4);
  });
});
