import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSession } from '../../src/distribution/sftp-session.js';
import type { TargetNode } from '../../src/distribution/target-node.js';
import { desiredState } from '../unit/distribution/desired.js';
import type { OpenSshServer } from './openssh-server.js';
import { entriesOf, filesOf, marksOf, OpenSshSite, putFile, syncOver, treeOf } from './openssh-site.js';

const contents = { 'docker.io': 'D1', 'mirror.local_5000_': 'ML', 'quay.io': 'Q'.repeat(100_000) };
const desired = desiredState(contents);
const changed = desiredState({ ...contents, 'docker.io': 'D2', 'quay.io': 'R'.repeat(70_000) });

let site: OpenSshSite;
beforeEach(() => {
  site = new OpenSshSite();
});
afterEach(() => site.close());

describe('a node with OpenSSH', () => {
  let server: OpenSshServer;
  let target: TargetNode;
  beforeEach(async () => {
    server = await site.start('server');
    target = site.target(server);
  });

  it('gets its root and every file at the first sync', async () => {
    const result = await site.sync(target, desired);
    expect(treeOf(target.root)).toEqual(filesOf(desired));
    expect(result).toEqual({
      written: Object.keys(filesOf(desired)),
      removed: [],
      unchanged: 0,
      foreign: [],
      leftoversCleared: [],
    });
  });

  it('is not written to when it is in sync: no file or directory is touched', async () => {
    await site.sync(target, desired);
    const before = marksOf(target.root);
    expect(Object.keys(before)).toHaveLength(7);
    const result = await site.sync(target, desired);
    expect(marksOf(target.root)).toEqual(before);
    expect(result).toMatchObject({ written: [], removed: [], unchanged: 3, leftoversCleared: [] });
  });

  it('gets the files that have changed, and no other is touched', async () => {
    await site.sync(target, desired);
    const before = marksOf(target.root);
    const result = await site.sync(target, changed);
    expect(treeOf(target.root)).toEqual(filesOf(changed));
    expect(result).toMatchObject({ written: ['docker.io/hosts.toml', 'quay.io/hosts.toml'], unchanged: 1 });
    const after = marksOf(target.root);
    expect(Object.keys(after).filter((path) => after[path] !== before[path])).toEqual([
      'docker.io',
      'docker.io/hosts.toml',
      'quay.io',
      'quay.io/hosts.toml',
    ]);
  });

  it('gets a file back that somebody has changed to another of the same size, or removed', async () => {
    await site.sync(target, desired);
    putFile(target.root, 'docker.io/hosts.toml', 'D9');
    putFile(target.root, 'mirror.local_5000_/hosts.toml', '');
    const result = await site.sync(target, desired);
    expect(result.written).toEqual(['docker.io/hosts.toml', 'mirror.local_5000_/hosts.toml']);
    expect(treeOf(target.root)).toEqual(filesOf(desired));
  });

  it('loses what is stale and what a dead run has left, and keeps what is somebody else’s', async () => {
    await site.sync(target, desired);
    putFile(target.root, 'stale.io/hosts.toml', 'S');
    putFile(target.root, 'mixed.io/hosts.toml', 'S');
    putFile(target.root, 'mixed.io/ca.crt', 'C');
    putFile(target.root, 'quay.io/client.key', 'K');
    putFile(target.root, 'quay.io/hosts.toml.0123.mirrorgate-tmp', 'half a f');
    putFile(target.root, 'notes.txt', 'N');
    const kept = ['mixed.io/ca.crt', 'notes.txt', 'quay.io/client.key'];
    const before = marksOf(target.root);

    const result = await site.sync(target, desired);
    expect(result).toMatchObject({
      written: [],
      removed: ['mixed.io/hosts.toml', 'stale.io/hosts.toml'],
      foreign: kept,
      leftoversCleared: ['quay.io/hosts.toml.0123.mirrorgate-tmp'],
    });
    expect(entriesOf(target.root)).toEqual(
      [...Object.keys(contents), ...Object.keys(filesOf(desired)), 'mixed.io', ...kept].sort(),
    );
    const after = marksOf(target.root);
    for (const path of kept) expect(after[path]).toBe(before[path]);
  });

  it('has each changed file replaced by the one written beside it, in one step', async () => {
    await site.sync(target, desired);
    const session = await openSession(target, site.hostKeys);
    site.onClose(() => session.close());
    const inode = (path: string): bigint => lstatSync(path, { bigint: true }).ino;
    const steps: string[] = [];
    const replace = session.replace.bind(session);
    const remove = session.remove.bind(session);
    session.replace = async (from, to) => {
      const written = inode(from);
      expect(inode(to)).not.toBe(written);
      await replace(from, to);
      expect(inode(to)).toBe(written);
      steps.push(`replaced ${to.slice(target.root.length + 1)}`);
    };
    session.remove = (path) => {
      steps.push(`removed ${path}`);
      return remove(path);
    };
    await syncOver(session, target, changed);
    expect(steps.sort()).toEqual(['replaced docker.io/hosts.toml', 'replaced quay.io/hosts.toml']);
  });
});

describe('the log of OpenSSH’s SFTP server', () => {
  it('tells of posix-rename for every file, and of no other rename and no removal', async () => {
    // internal-sftp is the same code in the same package; on its own it can log to a file without a syslog.
    const log = join(site.directory, 'sftp.log');
    const sftp = `/usr/lib/openssh/sftp-server -e -l VERBOSE 2>>${log}`;
    const target = site.target(await site.start('server', { sftp }));
    await site.sync(target, desired);
    await site.sync(target, changed);

    const lines = readFileSync(log, 'utf8').split(/\r?\n/);
    const renamed = lines.filter((line) => /\brename\b/.test(line));
    expect(renamed).toHaveLength(5);
    for (const line of renamed) expect(line).toMatch(/^posix-rename old ".*-tmp" new ".*\/hosts\.toml"$/);
    expect(lines.filter((line) => /^(?:remove|unlink|rmdir)\b/.test(line))).toEqual([]);
    expect(lines.filter((line) => line.startsWith('open ') && line.includes('flags WRITE'))).toHaveLength(5);
  });
});
