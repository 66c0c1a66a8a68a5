import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { windowsNameFault } from '../../../src/mirrors/windows-name.js';
import { formatSftpPath, parseWindowsPath } from '../../../src/sandbox/windows-path.js';

const home = ['Users', 'Administrator'];

describe('parseWindowsPath', () => {
  it.each([
    ['/C:/k/containerd', ['k', 'containerd']],
    ['C:/k/containerd', ['k', 'containerd']],
    ['C:\\k\\containerd', ['k', 'containerd']],
    ['/c:/k', ['k']],
    ['/C:/', []],
    ['/C:', []],
    ['C:\\', []],
    ['/C:/k//containerd/', ['k', 'containerd']],
    ['/C:/k/./a/../b', ['k', 'b']],
    ['/C:/../../k', ['k']],
    ['/C:/k\\..\\..\\..\\a/b', ['a', 'b']],
    ['', home],
    ['.', home],
    ['..', ['Users']],
    ['.ssh/config', [...home, '.ssh', 'config']],
  ])('finds in %j the components %j', (path, components) => {
    expect(parseWindowsPath(path, home)).toEqual({ kind: 'place', components });
  });

  it.each(['/', '\\', '/.', '/..', '/../..'])('takes %j for what is above the drives', (path) => {
    expect(parseWindowsPath(path, home)).toEqual({ kind: 'drives' });
  });

  it.each(['/D:/k', 'Z:\\k', '/k/containerd', 'C:k', '/C:k', '//server/share', '\\\\?\\C:\\k', '\\\\.\\C:'])(
    'knows no place %j',
    (path) => {
      expect(parseWindowsPath(path, home)).toMatchObject({ kind: 'fault', reason: 'not-found' });
    },
  );

  it.each([
    '/C:/k/a:b',
    '/C:/nul',
    '/C:/k/con.txt/x',
    '/C:/k/a.',
    '/C:/k/a ',
    '/C:/k/a?',
    '/C:/k/...',
    '/C:/k/\0',
  ])('refuses the name in %j', (path) => {
    expect(parseWindowsPath(path, home)).toMatchObject({ kind: 'fault', reason: 'bad-name' });
  });

  it('takes a path of 259 characters and no longer one', () => {
    const fits = `${'d'.repeat(200)}/${'f'.repeat(55)}`;
    expect(`C:\\${fits}`).toHaveLength(259);
    expect(parseWindowsPath(`/C:/${fits}`, home)).toMatchObject({ kind: 'place' });
    expect(parseWindowsPath(`/C:/${fits}f`, home)).toMatchObject({ kind: 'fault', reason: 'too-long' });
  });

  it('yields nothing but names that Windows can hold, and parses its own form back to the same place', () => {
    const piece = fc.oneof(
      fc.constantFrom('..', '.', '', 'C:', '/', '\\', 'k', 'con', 'hosts.toml', '\0', '...', '／', 'İß'),
      fc.string({ unit: 'binary-ascii', maxLength: 6 }),
    );
    const separator = fc.constantFrom('/', '\\', '');
    const path = fc
      .tuple(
        fc.constantFrom('', '/', '/C:', 'C:', '//', '\\'),
        fc.array(fc.tuple(separator, piece), { maxLength: 8 }),
      )
      .map(([start, pieces]) => start + pieces.flat().join(''));
    fc.assert(
      fc.property(path, (text) => {
        const parsed = parseWindowsPath(text, home);
        if (parsed.kind !== 'place') return;
        for (const name of parsed.components) {
          expect(windowsNameFault(name)).toBeUndefined();
          expect(name).not.toMatch(/[/\\]|^\.\.?$/);
        }
        expect(parseWindowsPath(formatSftpPath(parsed.components), [])).toEqual(parsed);
      }),
      { numRuns: 400 },
    );
  });
});
