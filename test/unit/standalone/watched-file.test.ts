import { mkdir, readFile, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { WatchedFile, type WatchedFileOptions } from '../../../src/standalone/watched-file.js';
import { temporaryFolder } from './temporary-folder.js';

const anHour = 3_600_000;
const patience = { timeout: 10_000, interval: 10 };

/** A number in a file; whatever else stands there is a fault. */
const parseNumber: WatchedFileOptions<number>['parse'] = (text) =>
  /^\d+\n?$/.test(text)
    ? { ok: true, value: Number(text) }
    : { ok: false, faults: [`${JSON.stringify(text)} is no number`] };

/** A watched file, started, with all that it tells; files count as left alone unless a test says otherwise. */
async function follow<T>(
  path: string,
  options: Partial<WatchedFileOptions<T>> & Pick<WatchedFileOptions<T>, 'parse'>,
) {
  const reports: (readonly string[])[] = [];
  const values: (T | undefined)[] = [];
  const file = new WatchedFile<T>({
    path,
    onRead: (faults) => reports.push(faults),
    quietMs: 20,
    lookMs: anHour,
    now: () => Date.now() + anHour,
    ...options,
  });
  file.onChange(() => values.push(file.current()));
  onTestFinished(() => file.stop());
  await file.start();
  return { file, reports, values };
}

async function fileWith(text: string): Promise<{ folder: string; path: string }> {
  const folder = await temporaryFolder();
  const path = join(folder, 'number');
  await writeFile(path, text);
  return { folder, path };
}

/** Writes a file as a whole, so that no reading falls between emptying and writing it. */
async function put(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

describe('WatchedFile', () => {
  it('has the value of the file after the start, and says that all is well', async () => {
    const { path } = await fileWith('1');
    const { file, reports } = await follow(path, { parse: parseNumber });
    expect(file.current()).toBe(1);
    expect(reports).toEqual([[]]);
  });

  it('has no value for a file that is broken, or not there, and says what is wrong', async () => {
    const { folder, path } = await fileWith('one');
    const broken = await follow(path, { parse: parseNumber });
    expect(broken.file.current()).toBeUndefined();
    expect(broken.reports).toEqual([['"one" is no number']]);

    const missing = await follow(join(folder, 'none'), { parse: parseNumber });
    expect(missing.file.current()).toBeUndefined();
    expect(missing.reports).toEqual([['is missing, or is no file']]);
  });

  it.each([
    ['written in place', (path: string) => writeFile(path, '2')],
    [
      'written beside it and renamed over it',
      async (path: string) => {
        await writeFile(`${path}.tmp`, '2');
        await rename(`${path}.tmp`, path);
      },
    ],
    [
      'taken away and written anew',
      async (path: string) => {
        await unlink(path);
        await writeFile(path, '2');
      },
    ],
  ])('takes up a change, and the next one: %s', async (_, save) => {
    const { path } = await fileWith('1');
    const { file, values } = await follow(path, { parse: parseNumber });
    await save(path);
    await vi.waitFor(() => {
      expect(file.current()).toBe(2);
    }, patience);
    await writeFile(path, '3');
    await vi.waitFor(() => {
      expect(file.current()).toBe(3);
    }, patience);
    expect(values).toEqual([1, 2, 3]);
  });

  it('takes up a file whose folder swaps a link, as a ConfigMap that is mounted does', async () => {
    const folder = await temporaryFolder();
    const version = async (name: string, text: string) => {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'number'), text);
    };
    await version('..1', '1');
    await symlink('..1', join(folder, '..data'));
    await symlink('..data/number', join(folder, 'number'));
    const { file } = await follow(join(folder, 'number'), { parse: parseNumber });
    expect(file.current()).toBe(1);

    await version('..2', '2');
    await symlink('..2', join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    await vi.waitFor(() => {
      expect(file.current()).toBe(2);
    }, patience);
  });

  it('keeps the last good value while the file is broken, empty or gone, and tells of each once', async () => {
    const { path } = await fileWith('1');
    const { file, reports, values } = await follow(path, { parse: parseNumber });
    await put(path, 'two');
    await vi.waitFor(() => {
      expect(reports).toHaveLength(2);
    }, patience);
    await put(path, '');
    await vi.waitFor(() => {
      expect(reports).toHaveLength(3);
    }, patience);
    await unlink(path);
    await vi.waitFor(() => {
      expect(reports).toHaveLength(4);
    }, patience);
    expect(file.current()).toBe(1);
    await put(path, '1');
    await vi.waitFor(() => {
      expect(reports).toHaveLength(5);
    }, patience);
    expect(reports).toEqual([
      [],
      ['"two" is no number'],
      ['"" is no number'],
      ['is missing, or is no file'],
      [],
    ]);
    // The first came with the start; nothing has changed since.
    expect(values).toEqual([1]);
  });

  it('says nothing of a file that is written again as it was, and tells of one that comes to the same value', async () => {
    const { path } = await fileWith('1');
    let readings = 0;
    const { reports, values } = await follow<number>(path, {
      parse: (text) => {
        readings += 1;
        return parseNumber(text);
      },
    });
    await put(path, '1');
    await vi.waitFor(() => {
      expect(readings).toBeGreaterThan(1);
    }, patience);
    expect(reports).toEqual([[]]);
    await put(path, '1\n');
    await vi.waitFor(() => {
      expect(reports).toEqual([[], []]);
    }, patience);
    expect(values).toEqual([1]);
  });

  it('does not take half of a file that is being written', async () => {
    const { path } = await fileWith('1');
    let isBeingWritten = false;
    let looks = 0;
    const { file, values } = await follow(path, {
      parse: parseNumber,
      now: () => {
        looks += 1;
        return isBeingWritten ? statSync(path).mtimeMs : Date.now() + anHour;
      },
    });
    isBeingWritten = true;
    await writeFile(path, '12');
    const before = looks;
    await vi.waitFor(() => {
      expect(looks).toBeGreaterThan(before + 2);
    }, patience);
    expect(file.current()).toBe(1);
    await writeFile(path, '1234');
    isBeingWritten = false;
    await vi.waitFor(() => {
      expect(file.current()).toBe(1234);
    }, patience);
    expect(values).toEqual([1, 1234]);
  });

  it('waits at the start for a file that is being written', async () => {
    const { path } = await fileWith('12');
    let looks = 0;
    const { file } = await follow(path, {
      parse: parseNumber,
      // Its writer is done when it has been looked at three times.
      now: () => {
        looks += 1;
        return looks <= 3 ? statSync(path).mtimeMs : Date.now() + anHour;
      },
    });
    expect(file.current()).toBe(12);
  });

  it('gives up at the start on a file that never rests, and says so', async () => {
    const { path } = await fileWith('1');
    const { file, reports } = await follow(path, {
      parse: parseNumber,
      quietMs: 5,
      now: () => statSync(path).mtimeMs,
    });
    expect(file.current()).toBeUndefined();
    expect(reports).toEqual([['does not come to rest: something keeps writing to it']]);
  });

  it('looks now and then without any sign: what it names may have changed', async () => {
    const { folder, path } = await fileWith('other');
    const elsewhere = await temporaryFolder();
    const named = join(elsewhere, 'named');
    await writeFile(named, '1');
    const { file } = await follow<number>(path, {
      parse: async () => parseNumber(await readFile(named, 'utf8')),
      lookMs: 30,
    });
    expect(file.current()).toBe(1);
    await writeFile(named, '2');
    await vi.waitFor(() => {
      expect(file.current()).toBe(2);
    }, patience);

    // A folder that is replaced takes the watch on it with it; looking finds the new one.
    await rm(folder, { recursive: true });
    await vi.waitFor(() => {
      expect(file.current()).toBe(2);
    }, patience);
    await writeFile(named, '3');
    await mkdir(folder);
    await writeFile(path, 'other');
    await vi.waitFor(() => {
      expect(file.current()).toBe(3);
    }, patience);
  });

  it('takes what parsing throws for a fault, and goes on', async () => {
    const { path } = await fileWith('1');
    const { file, reports } = await follow<number>(path, {
      parse: (text) => {
        if (text === 'x') throw new Error('never seen before');
        return parseNumber(text);
      },
    });
    await put(path, 'x');
    await vi.waitFor(() => {
      expect(reports.at(-1)).toEqual(['never seen before']);
    }, patience);
    await put(path, '2');
    await vi.waitFor(() => {
      expect(file.current()).toBe(2);
    }, patience);
  });

  it('does not let a slow reading win over a newer one', async () => {
    const { path } = await fileWith('1');
    const waiting: (() => void)[] = [];
    let isSlow = false;
    const { file, values } = await follow<number>(path, {
      parse: async (text) => {
        if (isSlow) await new Promise<void>((resolve) => waiting.push(resolve));
        return parseNumber(text);
      },
    });
    isSlow = true;
    await put(path, '2');
    await vi.waitFor(() => {
      expect(waiting).toHaveLength(1);
    }, patience);
    isSlow = false;
    await put(path, '3');
    waiting[0]?.();
    await vi.waitFor(() => {
      expect(file.current()).toBe(3);
    }, patience);
    expect(values).toEqual([1, 2, 3]);
  });

  it('follows nothing after it is stopped', async () => {
    const { path } = await fileWith('1');
    const { file, values } = await follow(path, { parse: parseNumber, lookMs: 20 });
    await file.stop();
    await put(path, '2');
    // Another watch on the same file sees the change: so would this one have.
    const other = await follow(path, { parse: parseNumber });
    expect(other.file.current()).toBe(2);
    await other.file.stop();
    expect(file.current()).toBe(1);
    expect(values).toEqual([1]);
  });
});
