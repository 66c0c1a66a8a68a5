/** fast-check generators for the model: references of the whole grammar, and mirror sets that collide a lot. */
import fc from 'fast-check';
import type { ImageReference } from '../../src/mirrors/image-reference.js';
import { keyOf, osLabel, type MirrorSet } from '../../src/mirrors/mirror-set.js';
import { formatReference, type Reference } from '../../src/mirrors/reference.js';
import { mirrorSet, type EntryText } from './mirror-sets.js';

const letters = 'abcdefghijklmnopqrstuvwxyz';
const digits = '0123456789';

function textOf(characters: string, minLength: number, maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...Array.from(characters)), minLength, maxLength });
}

const label = fc
  .tuple(textOf(`${letters}${letters.toUpperCase()}${digits}`, 1, 6), fc.constantFrom('', '-', '--'))
  .chain(([start, dashes]) =>
    textOf(`${letters}${digits}`, 1, 3).map((end) => (dashes === '' ? start : start + dashes + end)),
  );

const segment = fc
  .array(fc.tuple(fc.constantFrom('.', '_', '__', '-', '--', '---'), textOf(letters + digits, 1, 4)), {
    maxLength: 3,
  })
  .chain((tail) => textOf(letters + digits, 1, 5).map((head) => head + tail.flat().join('')));

/** The parts of a reference as they may be written, hosts in any case. */
export interface WrittenReference {
  readonly host: string;
  readonly port: string | undefined;
  readonly path: readonly string[];
}

export const writtenReferences: fc.Arbitrary<WrittenReference> = fc.record({
  host: fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
  port: fc.option(textOf(digits, 1, 5), { nil: undefined }),
  path: fc.array(segment, { maxLength: 4 }),
});

export function writeReference({ host, port, path }: WrittenReference): string {
  return [port === undefined ? host : `${host}:${port}`, ...path].join('/');
}

/** `*.domain`, which only a source may be. */
export const wildcardTexts: fc.Arbitrary<string> = fc
  .array(label, { minLength: 1, maxLength: 3 })
  .map((labels) => `*.${labels.join('.')}`);

const nastyCharacters = Array.from('-._/:@*A z0\n\u0000%é\\');

/** A text with one character put in, taken out or replaced: mostly just outside the grammar. */
export function mutated(texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(
      texts,
      fc.nat(),
      fc.constantFrom('insert', 'delete', 'replace', 'double'),
      fc.constantFrom(...nastyCharacters),
    )
    .map(([text, seed, how, character]) => {
      const at = seed % (text.length + 1);
      const [before, own, after] = [text.slice(0, at), text.slice(at, at + 1), text.slice(at + 1)];
      if (how === 'insert') return before + character + own + after;
      if (how === 'delete') return before + after;
      return before + (how === 'double' ? own + own : character) + after;
    });
}

const segments = fc.constantFrom('a', 'b', 'c');

function collidingReference(hosts: readonly string[], longest: number): fc.Arbitrary<Reference> {
  return fc
    .tuple(fc.constantFrom(...hosts), fc.array(segments, { maxLength: longest }))
    .map(([registry, path]) => {
      const [host = '', port] = registry.split(':');
      return { wildcard: false, host, port, path };
    });
}

/** References of few hosts and segments, so that sources, mirrors and prefixes meet. */
export const sources = collidingReference(['s.io', 't.io:5000', 'docker.io', 'registry-1.docker.io'], 3);
export const mirrors = collidingReference(
  ['m.io', 'm.io:5000', 's.io', 'docker.io', 'registry-1.docker.io'],
  4,
);

/** An image below a source: what stands behind the source's path, at least one segment where the source has none. */
export const remainders = fc.array(segments, { minLength: 1, maxLength: 2 });

export function imageBelow(
  source: Reference,
  remainder: readonly string[],
  by: 'tag' | 'digest',
): ImageReference {
  return {
    repository: { ...source, path: [...source.path, ...remainder] },
    tag: by === 'tag' ? '1.0' : undefined,
    digest: by === 'digest' ? `sha256:${'0'.repeat(64)}` : undefined,
  };
}

export const images = fc
  .tuple(sources, remainders, fc.constantFrom('tag' as const, 'digest' as const))
  .map(([source, remainder, by]) => imageBelow(source, remainder, by));

const sourceTexts = fc.oneof(
  { weight: 12, arbitrary: sources.map(formatReference) },
  { weight: 1, arbitrary: fc.constantFrom('*.io', 'https://s.io', 'S.io/a') },
);
const mirrorTexts = fc.oneof(
  { weight: 12, arbitrary: mirrors.map(formatReference) },
  { weight: 1, arbitrary: fc.constantFrom('M.io/a', '', 'm.io/A', '*.m.io') },
);

const entries: fc.Arbitrary<EntryText> = fc.tuple(
  sourceTexts,
  fc.option(fc.array(mirrorTexts, { maxLength: 4 }), { nil: undefined, freq: 8 }),
  fc.constantFrom('AllowContactingSource', undefined, undefined, 'NeverContactSource'),
);

export const mirrorSets: fc.Arbitrary<MirrorSet> = fc
  .record({
    kind: fc.constantFrom('ImageDigestMirrorSet' as const, 'ImageTagMirrorSet' as const),
    name: fc.constantFrom('a', 'a-b', 'b', 'B', 'c'),
    entries: fc.array(entries, { maxLength: 4 }),
    linuxOnly: fc.integer({ min: 0, max: 7 }).map((roll) => roll === 0),
  })
  .map(({ kind, name, entries: texts, linuxOnly }) =>
    mirrorSet(kind, name, texts, linuxOnly ? { [osLabel]: 'linux' } : {}),
  );

/** The mirror sets of one cluster, in any order: no two of one kind and name. */
export const clusters: fc.Arbitrary<MirrorSet[]> = fc.uniqueArray(mirrorSets, {
  selector: keyOf,
  maxLength: 6,
});
