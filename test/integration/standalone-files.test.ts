/** A directory of manifests as people and programs really treat it: on a real file system, with real watches. */
import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { chmod, chown, mkdir, rename, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  ManifestDirectory,
  type DirectoryFault,
  type ManifestDirectoryOptions,
} from '../../src/standalone/manifest-directory.js';
import { temporaryFolder } from '../unit/standalone/temporary-folder.js';

const anHour = 3_600_000;
const patience = { timeout: 15_000, interval: 10 };

/** An IDMS with one mirror, by which its versions are told apart. */
function manifest(name: string, mirror: string): string {
  return [
    'apiVersion: config.openshift.io/v1',
    'kind: ImageDigestMirrorSet',
    `metadata: {name: ${name}}`,
    'spec:',
    '  imageDigestMirrors:',
    `  - {source: quay.io/org/${name}, mirrors: [${mirror}/org/${name}]}`,
    '',
  ].join('\n');
}

const imageConfig = (registries: readonly string[]) =>
  JSON.stringify({
    apiVersion: 'config.openshift.io/v1',
    kind: 'Image',
    metadata: { name: 'cluster' },
    spec: { registrySources: { insecureRegistries: registries } },
  });

/** Writes a file as a whole. */
async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

/** Each set and the registry of its mirror. */
function says(directory: ManifestDirectory): Record<string, string> | undefined {
  return (
    directory.current() &&
    Object.fromEntries(
      directory
        .current()!
        .sets.map(({ name, entries }) => [name, entries[0]?.mirrors[0]?.text.split('/')[0] ?? '']),
    )
  );
}

/** A directory that is followed, with all that it tells. */
class Followed {
  /** A file that someone is writing at the moment; all others count as left alone. */
  beingWritten: string | undefined;
  readonly reports: (readonly DirectoryFault[])[] = [];
  /** What it said, each time that it told of a change. */
  readonly history: (Record<string, string> | undefined)[] = [];
  readonly directory: ManifestDirectory;
  readonly readings;
  #looks = 0;

  constructor(path: string, options: Partial<ManifestDirectoryOptions> = {}) {
    this.directory = new ManifestDirectory({
      path,
      onFaults: (faults) => this.reports.push(faults),
      now: () => {
        this.#looks += 1;
        if (this.beingWritten === undefined) return Date.now() + anHour;
        return statSync(this.beingWritten, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      },
      settleMs: 20,
      lookMs: anHour,
      ...options,
    });
    this.readings = vi.spyOn(this.directory, 'scan');
    this.directory.onChange(() => this.history.push(says(this.directory)));
    onTestFinished(() => this.directory.stop());
  }

  async until(expected: Record<string, string>): Promise<void> {
    await vi.waitFor(() => {
      expect(says(this.directory)).toEqual(expected);
    }, patience);
  }

  async untilReported(count: number): Promise<void> {
    await vi.waitFor(() => {
      expect(this.reports).toHaveLength(count);
    }, patience);
  }

  /** Resolves when files have been looked at a few times more. */
  async untilLookedAtAgain(): Promise<void> {
    const before = this.#looks;
    await vi.waitFor(() => {
      expect(this.#looks).toBeGreaterThan(before + 3);
    }, patience);
  }

  /** Whatever there is to be read has been read after it. */
  async readTwice(): Promise<void> {
    await this.directory.scan();
    await this.directory.scan();
  }
}

async function follow(path: string, options?: Partial<ManifestDirectoryOptions>): Promise<Followed> {
  const followed = new Followed(path, options);
  await followed.directory.start();
  return followed;
}

async function folderWith(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, text] of Object.entries(files)) await put(join(folder, name), text);
  return folder;
}

describe('ManifestDirectory at the start', () => {
  it('reads everything below it', async () => {
    const folder = await folderWith({
      'a.yaml': manifest('a', 'm1'),
      'sub/deep/b.yml': manifest('b', 'm1'),
      'notes.txt': 'nothing',
      'other.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n',
    });
    const { directory, reports, history } = await follow(folder);
    expect(says(directory)).toEqual({ a: 'm1', b: 'm1' });
    expect(directory.current()).toMatchObject({ complete: true, insecureRegistries: [] });
    expect(reports).toEqual([]);
    expect(history).toHaveLength(1);
    expect(directory.manifestOf({ kind: 'ImageDigestMirrorSet', name: 'b' })?.locate('spec')).toMatchObject({
      file: join(folder, 'sub/deep/b.yml'),
    });
  });

  it('does not start on a folder that is not there, or is none', async () => {
    const folder = await folderWith({ file: '' });
    await expect(new Followed(join(folder, 'none')).directory.start()).rejects.toThrow('ENOENT');
    await expect(new Followed(join(folder, 'file')).directory.start()).rejects.toThrow('ENOTDIR');
  });

  it('waits for a file that is being written', async () => {
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1'), 'b.yaml': manifest('b', 'm1') });
    const followed = new Followed(folder);
    followed.beingWritten = join(folder, 'b.yaml');
    const starting = followed.directory.start();
    await vi.waitFor(() => {
      expect(followed.readings.mock.calls.length).toBeGreaterThan(1);
    }, patience);
    expect(followed.directory.current()).toBeUndefined();
    followed.beingWritten = undefined;
    await starting;
    expect(followed.history[0]).toEqual({ a: 'm1', b: 'm1' });
  });

  it('goes on without a file that never rests, and says that something is left out', async () => {
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1'), 'b.yaml': manifest('b', 'm1') });
    const followed = new Followed(folder, { settleMs: 5 });
    followed.beingWritten = join(folder, 'b.yaml');
    // The other one was left alone long ago.
    await utimes(join(folder, 'a.yaml'), 0, 0);
    await followed.directory.start();
    expect(followed.directory.current()).toMatchObject({ sets: [{ name: 'a' }], complete: false });
    followed.beingWritten = undefined;
    await followed.until({ a: 'm1', b: 'm1' });
    expect(followed.directory.current()?.complete).toBe(true);
  });

  it('takes nothing from a file that is broken, and says that something is left out until it is mended', async () => {
    const folder = await folderWith({
      'a.yaml': manifest('a', 'm1'),
      'b.yaml': `${manifest('b', 'm1')}---\nkind: [\n`,
    });
    const followed = await follow(folder);
    expect(says(followed.directory)).toEqual({ a: 'm1' });
    expect(followed.directory.current()?.complete).toBe(false);
    expect(followed.reports).toEqual([
      [expect.objectContaining({ where: expect.stringMatching(/b\.yaml:\d+$/) as string })],
    ]);

    await put(join(folder, 'b.yaml'), manifest('b', 'm1'));
    await followed.until({ a: 'm1', b: 'm1' });
    expect(followed.directory.current()?.complete).toBe(true);
    expect(followed.reports.at(-1)).toEqual([]);
  });
});

describe('ManifestDirectory and the ways in which files are saved', () => {
  it.each([
    ['written in place', (path: string) => writeFile(path, manifest('a', 'm2'))],
    ['written beside it and renamed over it', (path: string) => put(path, manifest('a', 'm2'))],
    [
      'taken away and written anew',
      async (path: string) => {
        await unlink(path);
        await writeFile(path, manifest('a', 'm2'));
      },
    ],
    [
      'moved aside as a backup and written anew, with a swap file',
      async (path: string) => {
        const beside = join(dirname(path), '.a.yaml.swp');
        await writeFile(beside, 'swap');
        await writeFile(join(dirname(path), '4913'), '');
        await unlink(join(dirname(path), '4913'));
        await rename(path, `${path}~`);
        await writeFile(path, manifest('a', 'm2'));
        await unlink(`${path}~`);
        await unlink(beside);
      },
    ],
  ])('takes up a file, more than once, and loses none meanwhile: %s', async (_, save) => {
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1') });
    const followed = await follow(folder, { settleMs: 100 });
    followed.beingWritten = join(folder, 'a.yaml');
    await save(join(folder, 'a.yaml'));
    followed.beingWritten = undefined;
    await followed.until({ a: 'm2' });
    await put(join(folder, 'a.yaml'), manifest('a', 'm3'));
    await followed.until({ a: 'm3' });
    expect(followed.history).toEqual([{ a: 'm1' }, { a: 'm2' }, { a: 'm3' }]);
    expect(followed.reports).toEqual([]);
  });

  it('takes no notice of what editors put beside a file', async () => {
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1') });
    const followed = await follow(folder);
    for (const name of ['a.yaml~', '.a.yaml.swp', '4913', '#a.yaml#', '.#a.yaml'])
      await writeFile(join(folder, name), manifest('b', 'm2'));
    await followed.readTwice();
    expect(followed.history).toEqual([{ a: 'm1' }]);
  });

  it('tells of no change when a file is written again as it was', async () => {
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1') });
    const followed = await follow(folder);
    await put(join(folder, 'a.yaml'), manifest('a', 'm1'));
    await vi.waitFor(() => {
      expect(followed.readings.mock.calls.length).toBeGreaterThan(1);
    }, patience);
    await followed.readTwice();
    expect(followed.history).toHaveLength(1);
  });

  it('does not lose a set while its file is away for a moment', async () => {
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1'), 'b.yaml': manifest('b', 'm1') });
    const followed = await follow(folder, { settleMs: anHour });
    await unlink(join(folder, 'a.yaml'));
    await followed.directory.scan();
    await writeFile(join(folder, 'a.yaml'), manifest('a', 'm1'));
    // Written a moment ago: it says what it said.
    followed.beingWritten = join(folder, 'a.yaml');
    await followed.readTwice();
    expect(says(followed.directory)).toEqual({ a: 'm1', b: 'm1' });
    expect(followed.history).toHaveLength(1);
  });

  it('keeps the sets of a file that is renamed, and sees no duplicates in it', async () => {
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1') });
    const followed = await follow(folder);
    await rename(join(folder, 'a.yaml'), join(folder, 'z.yaml'));
    await vi.waitFor(() => {
      expect(followed.directory.manifestOf({ kind: 'ImageDigestMirrorSet', name: 'a' })?.file).toBe(
        join(folder, 'z.yaml'),
      );
    }, patience);
    await followed.readTwice();
    expect(new Set(followed.history.map((said) => JSON.stringify(said)))).toEqual(new Set(['{"a":"m1"}']));
    expect(followed.reports).toEqual([]);
  });

  it('does not take a file that is written in pieces, a half that is good YAML included', async () => {
    const folder = await folderWith({ 'a.yaml': `${manifest('a', 'm1')}---\n${manifest('b', 'm1')}` });
    const followed = await follow(folder);
    const path = join(folder, 'a.yaml');
    followed.beingWritten = path;
    await writeFile(path, '');
    await followed.untilLookedAtAgain();
    await writeFile(path, manifest('a', 'm2'));
    await followed.untilLookedAtAgain();
    await writeFile(path, `${manifest('a', 'm2')}---\n${manifest('b', 'm2')}`);
    followed.beingWritten = undefined;
    await followed.until({ a: 'm2', b: 'm2' });
    expect(followed.history).toEqual([
      { a: 'm1', b: 'm1' },
      { a: 'm2', b: 'm2' },
    ]);
    expect(followed.reports).toEqual([]);
  });

  it('takes up a new file only when it has been left alone', async () => {
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1') });
    const followed = await follow(folder);
    const path = join(folder, 'b.yaml');
    await writeFile(path, manifest('b', 'm1'));
    followed.beingWritten = path;
    await followed.readTwice();
    expect(says(followed.directory)).toEqual({ a: 'm1' });
    followed.beingWritten = undefined;
    await followed.until({ a: 'm1', b: 'm1' });
  });

  it('reads files of the real time all the same', async () => {
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1') });
    const followed = await follow(folder, { now: Date.now });
    await writeFile(join(folder, 'a.yaml'), manifest('a', 'm2'));
    await followed.until({ a: 'm2' });
  });

  it('takes a date in the future for no sign that someone is writing', async () => {
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1') });
    const followed = await follow(folder, { now: Date.now, settleMs: 20 });
    const path = join(folder, 'a.yaml');
    await writeFile(`${path}.new`, manifest('a', 'm2'));
    const tomorrow = Date.now() / 1000 + 86_400;
    await utimes(`${path}.new`, tomorrow, tomorrow);
    await rename(`${path}.new`, path);
    await followed.until({ a: 'm2' });
  });
});

describe('ManifestDirectory and what goes wrong', () => {
  it('keeps what an emptied file said, and reports it until it says something again', async () => {
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1'), 'image.json': imageConfig(['m1']) });
    const followed = await follow(folder);
    await put(join(folder, 'a.yaml'), ' \n');
    await followed.untilReported(1);
    await put(join(folder, 'image.json'), '');
    await followed.untilReported(2);
    await followed.readTwice();
    expect(followed.reports).toEqual([
      [{ where: join(folder, 'a.yaml'), message: 'is empty; what it said before stays in force' }],
      [
        { where: join(folder, 'a.yaml'), message: 'is empty; what it said before stays in force' },
        { where: join(folder, 'image.json'), message: 'is empty; what it said before stays in force' },
      ],
    ]);
    expect(followed.directory.current()).toMatchObject({
      sets: [{ name: 'a' }],
      insecureRegistries: ['m1'],
      complete: true,
    });

    await put(join(folder, 'a.yaml'), manifest('a', 'm2'));
    await put(join(folder, 'image.json'), imageConfig(['m2']));
    await followed.until({ a: 'm2' });
    await vi.waitFor(() => {
      expect(followed.reports.at(-1)).toEqual([]);
    }, patience);
  });

  it('has no objection to a file that is empty from the start', async () => {
    const folder = await folderWith({ 'a.yaml': '' });
    const followed = await follow(folder);
    expect(followed.directory.current()).toMatchObject({ sets: [], complete: true });
    expect(followed.reports).toEqual([]);
  });

  it('keeps what a broken file said, reports it once with its line, and once that all is well again', async () => {
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1'), 'b.yaml': manifest('b', 'm1') });
    const followed = await follow(folder);
    await put(join(folder, 'a.yaml'), `${manifest('a', 'm2')}---\nkind: ImageTagMirrorSet\n`);
    await followed.untilReported(1);
    expect(followed.reports[0]?.[0]?.where).toBe(`${join(folder, 'a.yaml')}:8`);
    // Other files are taken up meanwhile.
    await put(join(folder, 'b.yaml'), manifest('b', 'm2'));
    await followed.until({ a: 'm1', b: 'm2' });
    await followed.readTwice();
    expect(followed.reports).toHaveLength(1);

    await put(join(folder, 'a.yaml'), manifest('a', 'm2'));
    await followed.until({ a: 'm2', b: 'm2' });
    await followed.readTwice();
    expect(followed.reports.slice(1)).toEqual([[]]);
  });

  it('says all is well when a broken file is put back as it was', async () => {
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1') });
    const followed = await follow(folder);
    await put(join(folder, 'a.yaml'), 'kind: [');
    await followed.untilReported(1);
    await put(join(folder, 'a.yaml'), manifest('a', 'm1'));
    await followed.untilReported(2);
    expect(followed.reports[1]).toEqual([]);
    expect(says(followed.directory)).toEqual({ a: 'm1' });
  });

  it('takes the first of two files that hold the same set, and says so of the other', async () => {
    const folder = await folderWith({ 'a.yaml': manifest('x', 'm1') });
    const followed = await follow(folder);
    await put(join(folder, 'b.yaml'), manifest('x', 'm2'));
    await followed.untilReported(1);
    expect(followed.reports[0]).toEqual([
      {
        where: `${join(folder, 'b.yaml')}:3`,
        message: `ImageDigestMirrorSet/x stands in ${join(folder, 'a.yaml')} already; this one is ignored`,
      },
    ]);
    expect(says(followed.directory)).toEqual({ x: 'm1' });

    await unlink(join(folder, 'a.yaml'));
    await followed.until({ x: 'm2' });
    expect(followed.reports.at(-1)).toEqual([]);
    expect(followed.history.every((said) => said !== undefined && 'x' in said)).toBe(true);
  });

  it('keeps everything while the folder is away, and takes up what comes back', async () => {
    const folder = await folderWith({ 'manifests/a.yaml': manifest('a', 'm1') });
    const path = join(folder, 'manifests');
    const followed = await follow(path);
    await rm(path, { recursive: true });
    await followed.untilReported(1);
    await followed.readTwice();
    expect(followed.reports[0]?.[0]).toMatchObject({ where: path });
    expect(followed.reports[0]?.[0]?.message).toMatch(
      /^ENOENT.*; what was read there before stays in force$/,
    );
    expect(says(followed.directory)).toEqual({ a: 'm1' });

    await mkdir(path);
    await put(join(path, 'a.yaml'), manifest('a', 'm2'));
    await followed.until({ a: 'm2' });
    expect(followed.reports.at(-1)).toEqual([]);
    // The new folder is followed as the old one was.
    await put(join(path, 'a.yaml'), manifest('a', 'm3'));
    await followed.until({ a: 'm3' });
  });

  it('keeps the sets of a folder below that cannot be read, and reads all others', async () => {
    // Nothing is unreadable to root: the test goes on as someone else.
    const isRoot = process.geteuid?.() === 0;
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1'), 'sub/b.yaml': manifest('b', 'm1') });
    const nobody = 65_534;
    if (isRoot) {
      for (const path of ['', 'a.yaml', 'sub', 'sub/b.yaml']) await chown(join(folder, path), nobody, nobody);
      process.seteuid!(nobody);
      onTestFinished(() => {
        process.seteuid!(0);
      });
    }
    const followed = await follow(folder);
    await chmod(join(folder, 'sub'), 0o000);
    onTestFinished(() => chmod(join(folder, 'sub'), 0o700));
    await put(join(folder, 'a.yaml'), manifest('a', 'm2'));
    await followed.until({ a: 'm2', b: 'm1' });
    expect(followed.directory.current()?.complete).toBe(false);
    expect(followed.reports.at(-1)).toContainEqual({
      where: join(folder, 'sub'),
      message: expect.stringMatching(
        /^EACCES: .*scandir.*; what was read there before stays in force$/,
      ) as string,
    });

    await chmod(join(folder, 'sub'), 0o700);
    await vi.waitFor(() => {
      expect(followed.directory.current()?.complete).toBe(true);
    }, patience);
    expect(followed.reports.at(-1)).toEqual([]);
  });

  it('is not held up by links in circles, nor by a pipe that nobody writes to', async () => {
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1') });
    for (const name of ['one', 'two', 'three.yaml']) await symlink('.', join(folder, name));
    await symlink('self.yaml', join(folder, 'self.yaml'));
    await symlink('nowhere', join(folder, 'dangling.yaml'));
    await promisify(execFile)('mkfifo', [join(folder, 'pipe.yaml')]);
    const followed = await follow(folder);
    expect(says(followed.directory)).toEqual({ a: 'm1' });
    await put(join(folder, 'a.yaml'), manifest('a', 'm2'));
    await followed.until({ a: 'm2' });
  });
});

describe('ManifestDirectory and what comes and goes', () => {
  it('takes the sets of a file away that is deleted', async () => {
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1'), 'b.yaml': manifest('b', 'm1') });
    const followed = await follow(folder);
    await unlink(join(folder, 'a.yaml'));
    await followed.until({ b: 'm1' });
    await unlink(join(folder, 'b.yaml'));
    await followed.until({});
    expect(followed.reports).toEqual([]);
    expect(followed.directory.current()?.complete).toBe(true);
  });

  it('takes back the fault of a broken file that is deleted', async () => {
    const folder = await folderWith({ 'a.yaml': 'kind: [' });
    const followed = await follow(folder);
    expect(followed.reports).toHaveLength(1);
    await unlink(join(folder, 'a.yaml'));
    await followed.untilReported(2);
    expect(followed.reports[1]).toEqual([]);
    expect(followed.directory.current()).toMatchObject({ sets: [], complete: true });
  });

  it('follows folders below that come later, and their going', async () => {
    const folder = await folderWith({});
    const followed = await follow(folder);
    await mkdir(join(folder, 'sub/deep'), { recursive: true });
    await put(join(folder, 'sub/deep/a.yaml'), manifest('a', 'm1'));
    await followed.until({ a: 'm1' });
    await put(join(folder, 'sub/deep/a.yaml'), manifest('a', 'm2'));
    await followed.until({ a: 'm2' });
    await rm(join(folder, 'sub'), { recursive: true });
    await followed.until({});
    await put(join(folder, 'sub/deep/a.yaml'), manifest('a', 'm3'));
    await followed.until({ a: 'm3' });
  });

  it('takes up the links of a ConfigMap that is mounted, when they are swapped', async () => {
    const folder = await folderWith({
      '..1/a.yaml': manifest('a', 'm1'),
      '..1/b.yaml': manifest('b', 'm1'),
    });
    await symlink('..1', join(folder, '..data'));
    for (const name of ['a.yaml', 'b.yaml']) await symlink(`..data/${name}`, join(folder, name));
    const followed = await follow(folder);
    expect(says(followed.directory)).toEqual({ a: 'm1', b: 'm1' });

    for (const [version, last] of [
      ['m2', '..1'],
      ['m3', '..m2'],
    ] as const) {
      await put(join(folder, `..${version}/a.yaml`), manifest('a', version));
      await put(join(folder, `..${version}/b.yaml`), manifest('b', version));
      await symlink(`..${version}`, join(folder, '..data_tmp'));
      await rename(join(folder, '..data_tmp'), join(folder, '..data'));
      await rm(join(folder, last), { recursive: true });
      await followed.until({ a: version, b: version });
    }
    expect(followed.reports).toEqual([]);
    expect(followed.history.every((said) => said !== undefined && 'a' in said && 'b' in said)).toBe(true);
  });

  it('takes up a folder that is a link, when it leads elsewhere', async () => {
    const folder = await folderWith({
      'one/a.yaml': manifest('a', 'm1'),
      'two/a.yaml': manifest('a', 'm2'),
    });
    await symlink('one', join(folder, 'current'));
    const followed = await follow(join(folder, 'current'));
    await symlink('two', join(folder, 'next'));
    await rename(join(folder, 'next'), join(folder, 'current'));
    await followed.until({ a: 'm2' });
    await put(join(folder, 'two/a.yaml'), manifest('a', 'm3'));
    await followed.until({ a: 'm3' });
  });

  it('looks now and then at what gives no sign: the target of a link elsewhere', async () => {
    const elsewhere = await folderWith({ 'a.yaml': manifest('a', 'm1') });
    const folder = await temporaryFolder();
    await symlink(join(elsewhere, 'a.yaml'), join(folder, 'a.yaml'));
    const followed = await follow(folder, { lookMs: 30 });
    await put(join(elsewhere, 'a.yaml'), manifest('a', 'm2'));
    await followed.until({ a: 'm2' });
  });

  it('makes few readings of a burst of files', async () => {
    const folder = await temporaryFolder();
    const followed = await follow(folder, { settleMs: 100 });
    const names = Array.from({ length: 200 }, (_, index) => `s${index}`);
    await Promise.all(names.map((name) => put(join(folder, `${name}.yaml`), manifest(name, 'm1'))));
    await followed.until(Object.fromEntries(names.map((name) => [name, 'm1'])));
    // Each file alone gives three events or more.
    expect(followed.readings.mock.calls.length).toBeLessThan(20);
    expect(followed.history.length).toBeLessThan(20);
  });

  it('does not pile up readings that are asked for faster than they are made', async () => {
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1') });
    let looks = 0;
    const followed = await follow(folder, {
      now: () => {
        looks += 1;
        return Date.now() + anHour;
      },
    });
    looks = 0;
    await Promise.all(Array.from({ length: 50 }, () => followed.directory.scan()));
    expect(looks).toBe(1);
  });

  it('has the insecure registries of the image config, once each', async () => {
    const folder = await folderWith({
      'image.json': imageConfig(['m1', '*.example.com']),
      'sub/image.json': imageConfig(['m1']),
    });
    const followed = await follow(folder);
    expect(followed.directory.current()?.insecureRegistries).toEqual(['m1', '*.example.com']);
    await unlink(join(folder, 'image.json'));
    await vi.waitFor(() => {
      expect(followed.directory.current()?.insecureRegistries).toEqual(['m1']);
    }, patience);
    await put(join(folder, 'sub/image.json'), imageConfig([]));
    await vi.waitFor(() => {
      expect(followed.directory.current()?.insecureRegistries).toEqual([]);
    }, patience);
  });

  it('follows nothing after it is stopped', async () => {
    const folder = await folderWith({ 'a.yaml': manifest('a', 'm1') });
    const followed = await follow(folder, { lookMs: 20 });
    const other = await follow(folder);
    await followed.directory.stop();
    await put(join(folder, 'a.yaml'), manifest('a', 'm2'));
    await other.until({ a: 'm2' });
    await followed.directory.scan();
    expect(followed.history).toEqual([{ a: 'm1' }]);
  });
});
