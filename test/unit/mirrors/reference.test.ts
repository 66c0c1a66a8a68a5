import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  covers,
  formatReference,
  parseReference,
  pathOf,
  registryOf,
  type ParsedReference,
} from '../../../src/mirrors/reference.js';
import { mutated, wildcardTexts, writeReference, writtenReferences } from '../arbitraries.js';
import { reference } from '../mirror-sets.js';

function parse(text: string): ParsedReference {
  return parseReference(text, { wildcard: true });
}

/**
 * The CRD's grammar once more, as patterns that never backtrack: separators and what they join share no character.
 * An empty join, which the CRD's `[-]*` allows, only joins alphanumerics to alphanumerics.
 */
const hostPattern = '[a-zA-Z0-9]+(?:-+[a-zA-Z0-9]+)*(?:\\.[a-zA-Z0-9]+(?:-+[a-zA-Z0-9]+)*)*';
const segmentPattern = '[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*';
const mirrorPattern = new RegExp(`^${hostPattern}(?::[0-9]+)?(?:/${segmentPattern})*$`);
const wildcardPattern = new RegExp(`^\\*\\.${hostPattern}$`);

describe('what is a reference', () => {
  it.each<[string, string, string | undefined, string[]]>([
    ['quay.io', 'quay.io', undefined, []],
    ['Quay.IO/org/image', 'quay.io', undefined, ['org', 'image']],
    ['localhost', 'localhost', undefined, []],
    ['mirror', 'mirror', undefined, []],
    ['mirror.local:5000', 'mirror.local', '5000', []],
    ['mirror.local:05000/a', 'mirror.local', '05000', ['a']],
    ['10.0.0.1:5000/a', '10.0.0.1', '5000', ['a']],
    ['a-b.c--d.e/x', 'a-b.c--d.e', undefined, ['x']],
    ['xn--bcher-kva.example/a', 'xn--bcher-kva.example', undefined, ['a']],
    ['q.io/a.b_c__d-e---f/0', 'q.io', undefined, ['a.b_c__d-e---f', '0']],
  ])('%s', (text, host, port, path) => {
    expect(parse(text)).toEqual({ ok: true, reference: { wildcard: false, host, port, path } });
  });

  it('*.domain, where a wildcard is allowed', () => {
    expect(parse('*.Red-Hat.io')).toEqual({
      ok: true,
      reference: { wildcard: true, host: 'red-hat.io', port: undefined, path: [] },
    });
  });
});

describe('what is not, and what is said about it', () => {
  it.each<[string, string]>([
    ['', 'is empty; expected host[:port][/path], for example quay.io/org/image'],
    ['https://quay.io/a', 'has a scheme (https://); expected host[:port][/path] without one'],
    ['docker://quay.io/a', 'has a scheme (docker://); expected host[:port][/path] without one'],
    ['quay.io/a@sha256:00', 'has a digest (@sha256:00); expected host[:port][/path] without one'],
    ['quay.io/a:1.2', 'has a tag (:1.2); expected host[:port][/path] without one'],
    ['quay.io:5000/a:latest', 'has a tag (:latest); expected host[:port][/path] without one'],
    ['nginx:1.2', 'has ":1.2" after its host; expected a port number, and a tag is not allowed'],
    ['quay.io:/a', 'has ":" after its host; expected a port number, and a tag is not allowed'],
    ['/a', 'has no host; expected host[:port][/path]'],
    [':5000', 'has no host; expected host[:port][/path]'],
    ['quay..io', 'has an empty label in its host (quay..io)'],
    ['quay.io./a', 'has an empty label in its host (quay.io.)'],
    ['my_registry/a', 'has a host with other characters than letters, digits, "-" and "." (my_registry)'],
    ['quay.io /a', 'has a host with other characters than letters, digits, "-" and "." (quay.io )'],
    ['-quay.io', 'has a host label that starts or ends with "-" (-quay)'],
    ['quay-.io', 'has a host label that starts or ends with "-" (quay-)'],
    ['quay.io/', 'ends with "/"; expected a path without an empty segment'],
    ['quay.io/a/', 'ends with "/"; expected a path without an empty segment'],
    ['quay.io//a', 'has an empty path segment ("//")'],
    ['quay.io/Org/a', 'has upper case in its path (Org); expected lower case'],
    ...['a..b', 'a._b', 'a___b', '-a', 'a-', '.a', 'a_', 'a b', 'é', 'a\nb', 'a:b/c'].map(
      (segment): [string, string] => [
        `quay.io/${segment}`,
        segment === 'a:b/c'
          ? 'has a path segment that is not lower-case letters and digits joined by ".", "_", "__" or dashes (a:b)'
          : `has a path segment that is not lower-case letters and digits joined by ".", "_", "__" or dashes (${segment})`,
      ],
    ),
    ['*', 'starts with "*" but is not *.domain (*)'],
    ['*.', 'starts with "*" but is not *.domain (*.)'],
    ['*quay.io', 'starts with "*" but is not *.domain (*quay.io)'],
    ['*.quay.io/a', 'is a wildcard with a path; expected *.domain alone'],
    ['*.quay.io:5000', 'is a wildcard with a port; expected *.domain alone'],
    ['*.*.io', 'has a host with other characters than letters, digits, "-" and "." (*.io)'],
    ['quay.*.io', 'has a host with other characters than letters, digits, "-" and "." (quay.*.io)'],
  ])('%j %s', (text, fault) => {
    expect(parse(text)).toEqual({ ok: false, fault });
  });

  it('a wildcard where none is allowed', () => {
    expect(parseReference('*.quay.io', { wildcard: false })).toEqual({
      ok: false,
      fault: 'is a wildcard; only a source may be *.domain, expected host[:port][/path]',
    });
  });
});

describe('the grammar of the CRD', () => {
  it('parses every text it generates into its parts', () => {
    fc.assert(
      fc.property(writtenReferences, (written) => {
        const text = writeReference(written);
        expect(text).toMatch(mirrorPattern);
        const expected = { wildcard: false, ...written, host: written.host.toLowerCase() };
        expect(parseReference(text, { wildcard: false })).toEqual({ ok: true, reference: expected });
      }),
      { numRuns: 1_000 },
    );
  });

  it('accepts and refuses what an independent reading of it does', () => {
    const texts = fc.oneof(writtenReferences.map(writeReference), wildcardTexts);
    fc.assert(
      fc.property(mutated(texts), (text) => {
        const isMirror = mirrorPattern.test(text);
        expect(parseReference(text, { wildcard: false }).ok).toBe(isMirror);
        expect(parse(text).ok).toBe(isMirror || wildcardPattern.test(text));
      }),
      { numRuns: 5_000 },
    );
  });

  it('holds for texts of its own characters in any order', () => {
    const texts = fc.string({ unit: fc.constantFrom(...Array.from('aA0-._/:*@')), maxLength: 8 });
    fc.assert(
      fc.property(texts, (text) => {
        expect(parse(text).ok).toBe(mirrorPattern.test(text) || wildcardPattern.test(text));
      }),
      { numRuns: 5_000 },
    );
  });

  it('says one bounded line about any text that is not a reference', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ minLength: 200, maxLength: 400 })), (text) => {
        const parsed = parse(text);
        if (!parsed.ok) expect(parsed.fault.length).toBeLessThan(250);
      }),
    );
  });
});

describe('hostile texts of a million characters', () => {
  const million = 1_000_000;
  it.each<[string, string]>([
    ['one path segment that fails at its end', `q.io/${'a'.repeat(million)}!`],
    ['separators', `q.io/a${'-'.repeat(million)}`],
    ['underscores', `q.io/a${'_'.repeat(million)}a`],
    ['alternating separators', `q.io/${'a-'.repeat(million / 2)}`],
    ['path segments', `q.io${'/a'.repeat(million / 2)}/`],
    ['slashes', '/'.repeat(million)],
    ['host labels', `${'a.'.repeat(million / 2)}!`],
    ['one host label that fails at its end', `${'a'.repeat(million)}_`],
    ['dashes in the host', `a${'-'.repeat(million)}`],
    ['colons', `q.io${':'.repeat(million)}`],
    ['port digits', `q.io:${'1'.repeat(million)}x`],
    ['at signs', '@'.repeat(million)],
    ['stars', '*'.repeat(million)],
    ['scheme characters', `${'a+'.repeat(million / 2)}://`],
    ['spaces', ' '.repeat(million)],
  ])('%s are refused with a short fault', (_, text) => {
    const parsed = parse(text);
    expect(parsed.ok).toBe(false);
    expect(JSON.stringify(parsed).length).toBeLessThan(300);
  });

  it('that are references are parsed', () => {
    const parsed = parse(`q.io${'/a-b'.repeat(million / 4)}`);
    expect(parsed.ok && parsed.reference.path.length).toBe(million / 4);
  });
});

describe('formatReference, registryOf and pathOf', () => {
  it.each([
    ['Quay.io', 'quay.io', 'quay.io', ''],
    ['Quay.io:443/a/b', 'quay.io:443/a/b', 'quay.io:443', 'a/b'],
    ['*.Quay.io', '*.quay.io', '*.quay.io', ''],
  ])('of %s', (text, formatted, registry, path) => {
    expect(formatReference(reference(text))).toBe(formatted);
    expect(registryOf(reference(text))).toBe(registry);
    expect(pathOf(reference(text))).toBe(path);
  });

  it('give back what was parsed, in lower case', () => {
    fc.assert(
      fc.property(fc.oneof(writtenReferences.map(writeReference), wildcardTexts), (text) => {
        expect(formatReference(reference(text))).toBe(text.toLowerCase());
        expect(reference(formatReference(reference(text)))).toEqual(reference(text));
      }),
    );
  });
});

describe('covers', () => {
  it.each([
    ['quay.io', 'quay.io', true],
    ['quay.io', 'QUAY.io/a/b', true],
    ['quay.io/a', 'quay.io/a', true],
    ['quay.io/a', 'quay.io/a/b', true],
    ['quay.io/a', 'quay.io/ab', false],
    ['quay.io/a', 'quay.io', false],
    ['quay.io/a/b', 'quay.io/a/c', false],
    ['quay.io', 'quay.io:443', false],
    ['quay.io:443', 'quay.io', false],
    ['quay.io', 'quay.io.example', false],
    ['*.quay.io', 'a.quay.io', true],
    ['*.quay.io', 'a.b.quay.io:5000/c', true],
    ['*.quay.io', 'quay.io', false],
    ['*.quay.io', 'notquay.io', false],
    ['*.quay.io', '*.quay.io', true],
    ['*.quay.io', '*.a.quay.io', true],
    ['*.a.quay.io', '*.quay.io', false],
    ['quay.io', '*.quay.io', false],
  ])('%s covers %s: %s', (outer, inner, expected) => {
    expect(covers(reference(outer), reference(inner))).toBe(expected);
  });
});
