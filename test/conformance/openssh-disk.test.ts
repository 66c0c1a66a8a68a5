import { chmodSync, chownSync, closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TargetNode } from '../../src/distribution/target-node.js';
import type { DesiredState } from '../../src/hosts/desired-state.js';
import { desiredState } from '../unit/distribution/desired.js';
import { entriesOf, filesOf, marksOf, OpenSshSite, putFile, treeOf } from './openssh-site.js';
import { mountSmallDisk, type SmallDisk } from './small-disk.js';
import { stampedFile } from './stamped-file.js';

const registries = ['docker.io', 'mcr.microsoft.com', 'quay.io'];

/** Three files of the same length. */
function revision(number: number, bytes: number): DesiredState {
  return desiredState(
    Object.fromEntries(registries.map((registry) => [registry, stampedFile(registry, number, bytes)])),
  );
}

/** Writes to a file until the disk takes no more. */
function fill(path: string): void {
  const file = openSync(path, 'a');
  try {
    for (;;) writeSync(file, Buffer.alloc(512));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

let site: OpenSshSite;
beforeEach(() => {
  site = new OpenSshSite();
});
afterEach(() => site.close());

describe('a full disk', () => {
  let disk: SmallDisk;
  let target: TargetNode;
  beforeEach(async () => {
    target = site.target(await site.start('server'));
    disk = mountSmallDisk(target.root, 'size=256k');
    site.onClose(() => {
      disk.unmount();
    });
  });

  const full = (path: string) => ({
    class: 'disk-full',
    message: expect.stringMatching(
      new RegExp(`^could not .*${path}.*: the disk of the node is full$`),
    ) as string,
    hint: expect.stringContaining('free some space') as string,
  });

  it('leaves every file whole, old or new, and nothing over; once there is space the node is brought in sync', async () => {
    const old = revision(1, 20_000);
    const next = revision(2, 120_000);
    await site.sync(target, old);
    await expect(site.sync(target, next)).rejects.toMatchObject(full('hosts.toml'));

    const held = treeOf(target.root);
    expect(Object.keys(held)).toEqual(Object.keys(filesOf(old)));
    for (const [path, text] of Object.entries(held)) {
      expect(text === filesOf(old)[path] || text === filesOf(next)[path], path).toBe(true);
    }
    await expect(site.sync(target, next)).rejects.toMatchObject(full('hosts.toml'));

    disk.change('size=2m');
    await site.sync(target, next);
    expect(treeOf(target.root)).toEqual(filesOf(next));
    expect(entriesOf(target.root)).toHaveLength(6);
  });

  it('is told when not one byte is free, and the old files stay untouched', async () => {
    const old = revision(1, 20_000);
    await site.sync(target, old);
    putFile(target.root, 'pagefile', '');
    fill(join(target.root, 'pagefile'));
    const before = marksOf(target.root);
    await expect(site.sync(target, revision(2, 100))).rejects.toMatchObject(full('hosts.toml'));
    expect(treeOf(target.root)).toMatchObject(filesOf(old));
    expect(entriesOf(target.root)).toEqual(Object.keys(before).slice(1).sort());

    rmSync(join(target.root, 'pagefile'));
    await site.sync(target, revision(2, 100));
    expect(treeOf(target.root)).toEqual(filesOf(revision(2, 100)));
  });

  it('is told when there is no room for one more directory', async () => {
    const old = revision(1, 100);
    await site.sync(target, old);
    disk.change('nr_inodes=7');
    const more = desiredState({ ...Object.fromEntries(old.files), 'new.io': 'N' });
    await expect(site.sync(target, more)).rejects.toMatchObject(full('new.io'));
    expect(treeOf(target.root)).toEqual(filesOf(old));

    disk.change('nr_inodes=100');
    await site.sync(target, more);
    expect(treeOf(target.root)).toEqual(filesOf(more));
  });
});

describe('a folder that the user may not write to', () => {
  const old = desiredState({ 'docker.io': 'old', 'quay.io': 'old' });
  const desired = desiredState({ 'docker.io': 'new', 'quay.io': 'new', 'mcr.microsoft.com': 'M' });
  const denied = (action: string, path: string) => ({
    class: 'permission',
    message: `not allowed to ${action} ${path} (Permission denied)`,
    hint: expect.stringContaining('must be an administrator') as string,
  });

  let target: TargetNode;
  beforeEach(async () => {
    // Modes bind everybody but root, so a user without rights logs in.
    target = site.target(await site.start('server', { username: 'nobody' }));
    mkdirSync(join(site.directory, 'nodes'), { mode: 0o755 });
  });

  it('is told where the root cannot be made', async () => {
    await expect(site.sync(target, desired)).rejects.toMatchObject(denied('make the directory', target.root));
    expect(entriesOf(target.root)).toEqual([]);
  });

  it('is told where files cannot be replaced, and these stay as they are', async () => {
    for (const [path, text] of Object.entries(filesOf(old))) putFile(target.root, path, text);
    const before = marksOf(target.root);
    await expect(site.sync(target, desired)).rejects.toMatchObject({
      ...denied('', ''),
      message: expect.stringMatching(/^not allowed to (?:write|make the directory) .*denied\)$/) as string,
    });
    expect(marksOf(target.root)).toEqual(before);
  });

  it('does not keep the other folders from what is due to them, and is brought in sync once it may be written', async () => {
    for (const [path, text] of Object.entries(filesOf(old))) putFile(target.root, path, text);
    const locked = join(target.root, 'quay.io');
    const give = (path: string): void => {
      chownSync(path, 65_534, 65_534);
    };
    give(target.root);
    give(join(target.root, 'docker.io'));
    await expect(site.sync(target, desired)).rejects.toMatchObject({ class: 'permission' });
    expect(treeOf(target.root)).toEqual({ ...filesOf(desired), 'quay.io/hosts.toml': 'old' });

    give(locked);
    chmodSync(locked, 0o755);
    await site.sync(target, desired);
    expect(treeOf(target.root)).toEqual(filesOf(desired));
  });

  it('is told where a folder cannot even be read', async () => {
    for (const [path, text] of Object.entries(filesOf(old))) putFile(target.root, path, text);
    chmodSync(join(target.root, 'quay.io'), 0o700);
    await expect(site.sync(target, desired)).rejects.toMatchObject(
      denied('list', join(target.root, 'quay.io')),
    );
  });
});
