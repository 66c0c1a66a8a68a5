import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listManifests } from '../../../src/standalone/list-manifests.js';
import { temporaryFolder } from './temporary-folder.js';

async function folderWith(paths: readonly string[]): Promise<string> {
  const folder = await temporaryFolder();
  for (const path of paths) {
    await mkdir(join(folder, dirname(path)), { recursive: true });
    await writeFile(join(folder, path), '');
  }
  return folder;
}

const listed = async (folder: string) =>
  (await listManifests(folder)).map((path) => relative(folder, path).replaceAll('\\', '/'));

describe('listManifests', () => {
  it('finds YAML and JSON in the folder and below, sorted', async () => {
    const folder = await folderWith(['b.yaml', 'a.yml', 'sub/deep/c.json', 'sub/B.YAML', 'Z.yaml']);
    expect(await listed(folder)).toEqual(['Z.yaml', 'a.yml', 'b.yaml', 'sub/B.YAML', 'sub/deep/c.json']);
  });

  it('leaves out other files, and what editors put beside a file', async () => {
    const folder = await folderWith([
      'a.yaml',
      'README.md',
      'a.yaml~',
      '.a.yaml.swp',
      'a.yaml.bak',
      '#a.yaml#',
      '4913',
      '.hidden.yaml',
      'yaml',
    ]);
    expect(await listed(folder)).toEqual(['a.yaml']);
  });

  it('leaves out hidden folders, wherever they are', async () => {
    const folder = await folderWith(['a.yaml', '.git/b.yaml', 'sub/.cache/c.yaml', 'sub/d.yaml']);
    expect(await listed(folder)).toEqual(['a.yaml', 'sub/d.yaml']);
  });

  it('finds all of it in a folder whose own path is hidden', async () => {
    const folder = await folderWith(['.state/manifests/a.yaml']);
    expect(await listed(join(folder, '.state/manifests'))).toEqual(['a.yaml']);
  });

  it('takes no folder for a manifest, whatever its name', async () => {
    const folder = await folderWith(['folder.yaml/a.yaml']);
    expect(await listed(folder)).toEqual(['folder.yaml/a.yaml']);
  });

  it('follows links to files, and none to folders, which may lead in circles', async () => {
    const folder = await folderWith(['..data/a.yaml', 'sub/b.yaml']);
    await symlink('..data/a.yaml', join(folder, 'a.yaml'));
    await symlink('.', join(folder, 'loop'));
    await symlink('..', join(folder, 'sub/up'));
    expect(await listed(folder)).toEqual(['a.yaml', 'sub/b.yaml']);
  });

  it('reads a folder that is itself a link', async () => {
    const folder = await folderWith(['real/a.yaml']);
    await symlink('real', join(folder, 'link'));
    expect(await listed(join(folder, 'link'))).toEqual(['a.yaml']);
  });

  it('names each folder before it is read', async () => {
    const folder = await folderWith(['a.yaml', 'sub/deep/c.json', '.git/b.yaml']);
    const folders: string[] = [];
    await listManifests(folder, { onFolder: (path) => folders.push(relative(folder, path)) });
    expect(folders).toEqual(['', 'sub', join('sub', 'deep')]);
  });

  it('throws for a folder below that cannot be read, or tells of it and lists the rest', async () => {
    const folder = await folderWith(['a.yaml', 'sub/b.yaml']);
    const refuse = (path: string) => {
      if (path !== folder) throw new Error('permission denied');
    };
    await expect(listManifests(folder, { onFolder: refuse })).rejects.toThrow('permission denied');

    const unreadable: string[] = [];
    const found = await listManifests(folder, {
      onFolder: refuse,
      onUnreadable: (path) => unreadable.push(path),
    });
    expect(found).toEqual([join(folder, 'a.yaml')]);
    expect(unreadable).toEqual([join(folder, 'sub')]);
  });

  it('throws when the folder itself cannot be read, whoever is told of others', async () => {
    const folder = join(await temporaryFolder(), 'none');
    await expect(listManifests(folder, { onUnreadable: () => undefined })).rejects.toThrow('ENOENT');
  });
});
