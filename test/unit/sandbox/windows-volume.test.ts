import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VolumeFault, WindowsVolume, type OpenMode } from '../../../src/sandbox/windows-volume.js';

let scratch: string;
let drive: string;
let volume: WindowsVolume;

beforeEach(() => {
  scratch = realpathSync(mkdtempSync(join(tmpdir(), 'mirrorgate-volume-')));
  drive = join(scratch, 'drive');
  volume = new WindowsVolume(drive, ['Users', 'Administrator']);
});

afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

const reading: OpenMode = { read: true, write: false, create: false, exclusive: false, truncate: false };
const making: OpenMode = { ...reading, write: true, create: true };

function put(path: string, content = ''): void {
  writeFileSync(volume.resolve(path), content);
}

/** The reason of the fault that `work` throws. */
function reasonOf(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    if (error instanceof VolumeFault) return error.reason;
    throw error;
  }
  return undefined;
}

describe('WindowsVolume', () => {
  it('keeps drive C: in its folder', () => {
    volume.makeDirectory('/C:/k');
    closeSync(volume.open('C:\\k\\hosts.toml', making));
    expect(existsSync(join(drive, 'k', 'hosts.toml'))).toBe(true);
  });

  it('finds names in any case and keeps the case in which they were made', () => {
    volume.makeDirectory('/C:/Registries');
    put('/C:/rEgistries/Hosts.toml', 'text');
    expect(readdirSync(drive)).toEqual(['Registries']);
    expect(volume.resolve('c:/REGISTRIES/hosts.TOML')).toBe(volume.resolve('/C:/Registries/Hosts.toml'));
    expect(volume.stat('/C:/registries/HOSTS.toml').size).toBe(4);
    expect(
      reasonOf(() => {
        volume.makeDirectory('/C:/REGISTRIES');
      }),
    ).toBe('failure');
    expect(reasonOf(() => volume.open('/C:/registries/hosts.toml', { ...making, exclusive: true }))).toBe(
      'failure',
    );
  });

  it('folds case as NTFS does, one character at a time', () => {
    put('/C:/straße');
    put('/C:/ÉCOLE');
    expect(volume.stat('/C:/école').isFile()).toBe(true);
    expect(reasonOf(() => volume.stat('/C:/STRASSE'))).toBe('not-found');
  });

  it('lists names in order regardless of case', () => {
    for (const name of ['b', 'A', 'c', 'B1']) put(`/C:/${name}`);
    expect(volume.list('/C:/').map(({ name }) => name)).toEqual(['A', 'b', 'B1', 'c']);
    expect(volume.list('/').map(({ name }) => name)).toEqual(['C:']);
  });

  it('neither follows nor lists a symbolic link, even to a place inside', () => {
    mkdirSync(join(scratch, 'outside'));
    writeFileSync(join(scratch, 'outside', 'secret'), 'secret');
    mkdirSync(join(drive, 'inside'));
    symlinkSync(join(scratch, 'outside'), join(drive, 'directory'));
    symlinkSync(join(scratch, 'outside', 'secret'), join(drive, 'file'));
    symlinkSync(join(drive, 'inside'), join(drive, 'harmless'));
    symlinkSync(join(scratch, 'outside', 'new'), join(drive, 'dangling'));

    expect(volume.list('/C:/').map(({ name }) => name)).toEqual(['inside']);
    for (const path of [
      '/C:/directory',
      '/C:/DIRECTORY/secret',
      '/C:/file',
      '/C:/harmless',
      '/C:/dangling',
    ]) {
      expect(
        reasonOf(() => volume.stat(path)),
        path,
      ).toBe('denied');
      expect(
        reasonOf(() => volume.open(path, making)),
        path,
      ).toBe('denied');
      expect(
        reasonOf(() => {
          volume.removeFile(path);
        }),
        path,
      ).toBe('denied');
      expect(
        reasonOf(() => {
          volume.rename('/C:/inside', path);
        }),
        path,
      ).toBe('denied');
      expect(
        reasonOf(() => volume.resolve(path)),
        path,
      ).toBe('denied');
    }
    expect(readdirSync(join(scratch, 'outside'))).toEqual(['secret']);
  });

  it('does not show what Windows could not name', () => {
    writeFileSync(join(drive, 'a:b'), '');
    writeFileSync(join(drive, 'nul.txt'), '');
    put('/C:/plain');
    expect(volume.list('/C:/').map(({ name }) => name)).toEqual(['plain']);
  });

  it('may have its folder behind a symbolic link', () => {
    symlinkSync(drive, join(scratch, 'link'));
    const linked = new WindowsVolume(join(scratch, 'link'), []);
    linked.makeDirectory('/C:/k');
    expect(existsSync(join(drive, 'k'))).toBe(true);
  });

  it('tells a missing file, a missing directory and a file in the place of a directory as not found', () => {
    put('/C:/file');
    for (const path of ['/C:/missing', '/C:/missing/file', '/C:/file/below']) {
      expect(
        reasonOf(() => volume.stat(path)),
        path,
      ).toBe('not-found');
      expect(
        reasonOf(() => volume.open(path, reading)),
        path,
      ).toBe('not-found');
    }
    expect(reasonOf(() => volume.open('/C:/missing/file', making))).toBe('not-found');
    expect(
      reasonOf(() => {
        volume.makeDirectory('/C:/missing/below');
      }),
    ).toBe('not-found');
    expect(reasonOf(() => volume.list('/C:/file'))).toBe('not-found');
  });

  it('does not open a directory, and does not truncate without write access', () => {
    volume.makeDirectory('/C:/k');
    put('/C:/file', 'text');
    expect(reasonOf(() => volume.open('/C:/k', reading))).toBe('denied');
    expect(reasonOf(() => volume.open('/C:/file', { ...reading, truncate: true }))).toBe('denied');
    expect(readFileSync(volume.resolve('/C:/file'), 'utf8')).toBe('text');
  });

  it('refuses to rename over what exists, and leaves both as they were', () => {
    put('/C:/new', 'new');
    put('/C:/Old', 'old');
    expect(
      reasonOf(() => {
        volume.rename('/C:/new', '/C:/old');
      }),
    ).toBe('failure');
    expect(readFileSync(join(drive, 'Old'), 'utf8')).toBe('old');
    expect(readFileSync(join(drive, 'new'), 'utf8')).toBe('new');
  });

  it.each(['/C:/file', '/C:/FILE'])('deletes a file that is renamed onto itself as %s', (path) => {
    put('/C:/file', 'text');
    expect(
      reasonOf(() => {
        volume.rename('/C:/file', path);
      }),
    ).toBe('not-found');
    expect(readdirSync(drive)).toEqual([]);
  });

  it('renames files and directories, but no directory into itself', () => {
    volume.makeDirectory('/C:/a');
    put('/C:/a/file', 'text');
    volume.rename('/C:/a', '/C:/b');
    volume.rename('/C:/b/file', '/C:/File');
    expect(readFileSync(join(drive, 'File'), 'utf8')).toBe('text');
    expect(
      reasonOf(() => {
        volume.rename('/C:/b', '/C:/b/c');
      }),
    ).toBe('failure');
    expect(
      reasonOf(() => {
        volume.rename('/C:/b', '/C:/B');
      }),
    ).toBe('failure');
    expect(
      reasonOf(() => {
        volume.rename('/C:/missing', '/C:/c');
      }),
    ).toBe('not-found');
    expect(
      reasonOf(() => {
        volume.rename('/C:/b', '/C:/missing/c');
      }),
    ).toBe('not-found');
  });

  it('keeps the read-only attribute, and what it protects', () => {
    put('/C:/file', 'text');
    volume.changeAttributes('/C:/file', { mode: 0o444 });
    expect(reasonOf(() => volume.open('/C:/file', making))).toBe('denied');
    expect(
      reasonOf(() => {
        volume.removeFile('/C:/file');
      }),
    ).toBe('denied');
    expect(
      reasonOf(() => {
        volume.changeAttributes('/C:/file', { size: 0 });
      }),
    ).toBe('denied');
    volume.rename('/C:/file', '/C:/other');
    volume.changeAttributes('/C:/other', { mode: 0o666 });
    volume.changeAttributes('/C:/other', { size: 2, times: { accessed: 5, modified: 7 } });
    expect(volume.stat('/C:/other')).toMatchObject({ size: 2, mtimeMs: 7_000 });
    volume.removeFile('/C:/other');
    expect(readdirSync(drive)).toEqual([]);
  });

  it('does not touch the root of the drive, nor what is above it', () => {
    expect(
      reasonOf(() => {
        volume.removeDirectory('/C:/');
      }),
    ).toBe('denied');
    expect(
      reasonOf(() => {
        volume.rename('/C:/', '/C:/x');
      }),
    ).toBe('denied');
    expect(
      reasonOf(() => {
        volume.makeDirectory('/C:/');
      }),
    ).toBe('failure');
    expect(
      reasonOf(() => {
        volume.makeDirectory('/');
      }),
    ).toBe('denied');
    expect(
      reasonOf(() => {
        volume.removeDirectory('/');
      }),
    ).toBe('denied');
    expect(volume.stat('/').isDirectory()).toBe(true);
  });

  it('never leaves its folder, whatever the path', () => {
    mkdirSync(join(drive, 'k', 'Deep'), { recursive: true });
    for (const directory of [drive, join(drive, 'k')]) symlinkSync(scratch, join(directory, 'out'));
    const piece = fc.oneof(
      {
        arbitrary: fc.constantFrom(
          '..',
          '.',
          'k',
          'K',
          'deep',
          'out',
          'C:',
          'D:',
          'con',
          '',
          '\0',
          '..\\..',
          '../..',
          '%2e%2e',
          '．．',
          '／',
          'İı',
        ),
        weight: 3,
      },
      { arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 8 }), weight: 1 },
    );
    const path = fc
      .tuple(
        fc.constantFrom('/C:/', '/C:/', 'C:\\', '', '/', '\\', 'C:', '//', '~/'),
        fc.array(piece, { maxLength: 8 }),
        fc.constantFrom('/', '\\'),
      )
      .map(([start, pieces, separator]) => start + pieces.join(separator));
    let resolved = 0;
    fc.assert(
      fc.property(path, (text) => {
        let local: string;
        try {
          local = volume.resolve(text);
        } catch (error) {
          expect(
            error instanceof VolumeFault || (error as NodeJS.ErrnoException).code === 'ENAMETOOLONG',
          ).toBe(true);
          return;
        }
        resolved += 1;
        expect(local === drive || local.startsWith(drive + sep)).toBe(true);
        expect(local.split(sep)).not.toContain('..');
        // What of it exists is really there, not behind a link.
        let existing = local;
        while (lstatSync(existing, { throwIfNoEntry: false }) === undefined) existing = dirname(existing);
        expect(realpathSync(existing)).toBe(existing);
      }),
      { numRuns: 400 },
    );
    expect(resolved).toBeGreaterThan(50);
  });
});
