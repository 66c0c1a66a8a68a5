import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareMirrorSets } from '../../../src/mirrors/mirror-set.js';
import { admittedFile } from '../../../src/standalone/admitted-file.js';
import { clusters } from '../arbitraries.js';
import { idms, itms } from '../mirror-sets.js';
import { temporaryFolder } from './temporary-folder.js';

const sets = [
  idms(
    'digest',
    [
      ['quay.io/org/image', ['mirror.local/org/image', 'other.local/x/org/image'], 'NeverContactSource'],
      ['*.redhat.io', ['mirror.local'], 'AllowContactingSource'],
      ['docker.io', undefined],
    ],
    { 'mirrorgate.dev/os': 'linux', team: 'a' },
  ),
  itms('tag', [['https://not.a.reference/x', ['Mirror.local/UPPER', '']]]),
  itms('without-entries', []),
];

describe('admittedFile', () => {
  it('remembers nothing as long as there is no file', async () => {
    const file = admittedFile(join(await temporaryFolder(), 'state/admitted.json'));
    expect(await file.load()).toEqual([]);
  });

  it('gives back what was saved: labels, policies and what is no reference included', async () => {
    const path = join(await temporaryFolder(), 'state/admitted.json');
    await admittedFile(path).save(sets);
    expect(await admittedFile(path).load()).toEqual(sets);
  });

  it('gives back any sets', async () => {
    const path = join(await temporaryFolder(), 'admitted.json');
    await fc.assert(
      fc.asyncProperty(clusters, async (cluster) => {
        const sorted = cluster.toSorted(compareMirrorSets);
        await admittedFile(path).save(sorted);
        expect(await admittedFile(path).load()).toEqual(sorted);
      }),
      { numRuns: 30 },
    );
  });

  it('is a manifest that a person can read and apply', async () => {
    const path = join(await temporaryFolder(), 'admitted.json');
    await admittedFile(path).save([sets[0]!]);
    const text = await readFile(path, 'utf8');
    expect(JSON.parse(text)).toEqual({
      apiVersion: 'v1',
      kind: 'List',
      items: [
        {
          apiVersion: 'config.openshift.io/v1',
          kind: 'ImageDigestMirrorSet',
          metadata: { name: 'digest', labels: { 'mirrorgate.dev/os': 'linux', team: 'a' } },
          spec: {
            imageDigestMirrors: [
              {
                source: 'quay.io/org/image',
                mirrors: ['mirror.local/org/image', 'other.local/x/org/image'],
                mirrorSourcePolicy: 'NeverContactSource',
              },
              {
                source: '*.redhat.io',
                mirrors: ['mirror.local'],
                mirrorSourcePolicy: 'AllowContactingSource',
              },
              { source: 'docker.io' },
            ],
          },
        },
      ],
    });
    expect(text.endsWith('}\n')).toBe(true);
    expect(text).toContain('\n  "items"');
  });

  it('writes a file only when something has changed', async () => {
    const path = join(await temporaryFolder(), 'admitted.json');
    const file = admittedFile(path);
    await file.save(sets);
    // Each write makes a new file.
    const { ino } = await stat(path);
    await file.save(sets);
    expect((await stat(path)).ino).toBe(ino);

    const restarted = admittedFile(path);
    await restarted.load();
    await restarted.save(sets);
    expect((await stat(path)).ino).toBe(ino);

    await restarted.save([]);
    expect(await admittedFile(path).load()).toEqual([]);
  });

  it('puts a whole file in place of another, and leaves nothing beside it', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'admitted.json');
    const file = admittedFile(path);
    const writer = { isDone: false };
    const written = (async () => {
      for (let round = 0; round < 30; round += 1) await file.save(round % 2 === 0 ? sets : [sets[1]!]);
      writer.isDone = true;
    })();
    // Whoever reads meanwhile finds the one or the other, whole.
    while (!writer.isDone) {
      const found = await admittedFile(path).load();
      expect([0, 1, sets.length]).toContain(found.length);
    }
    await written;
    expect(await readdir(folder)).toEqual(['admitted.json']);
  });

  it('leaves the file as it was when it cannot be written', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'state');
    await mkdir(path);
    await writeFile(join(path, 'in-the-way'), '');
    // A folder that is not empty stands where the file should be.
    await expect(admittedFile(path).save(sets)).rejects.toThrow();
    expect(await readdir(folder)).toEqual(['state']);
  });

  it.each([
    ['cut off', '{"apiVersion": "v1", "kind": "List", "items": [', /^.*admitted\.json:\d+: /],
    ['nonsense', 'nonsense', /admitted\.json:1: expected a Kubernetes object/],
    [
      'an object that is no mirror set any more',
      '{"apiVersion":"config.openshift.io/v1","kind":"ImageTagMirrorSet","metadata":{"name":"a"},"spec":{"imageTagMirrors":7}}',
      /admitted\.json:1: spec\.imageTagMirrors: expected array, found number/,
    ],
  ])('refuses a broken file, and says where and how to go on: %s', async (_, text, message) => {
    const path = join(await temporaryFolder(), 'admitted.json');
    await writeFile(path, text);
    const loading = admittedFile(path).load();
    await expect(loading).rejects.toThrow(message);
    await expect(loading).rejects.toThrow(/; delete the file to start without what was admitted before$/);
  });

  it('refuses a file that was cut short, wherever that was', async () => {
    const path = join(await temporaryFolder(), 'admitted.json');
    await admittedFile(path).save(sets);
    const text = await readFile(path, 'utf8');
    for (const share of [0.9, 0.5, 0.1]) {
      await truncate(path, Math.floor(text.length * share));
      await expect(admittedFile(path).load()).rejects.toThrow(/delete the file/);
    }
  });

  it('refuses a file that lost all of its content, which is not the same as having admitted nothing', async () => {
    const path = join(await temporaryFolder(), 'admitted.json');
    await admittedFile(path).save(sets);
    await truncate(path);
    await expect(admittedFile(path).load()).rejects.toThrow(/is empty; delete the file/);
  });
});
