import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  entryField,
  keyOf,
  type MirrorSet,
  type MirrorSourcePolicy,
} from '../../../src/mirrors/mirror-set.js';
import { profiles } from '../../../src/policy/profile.js';
import {
  clusters,
  mirrorSets,
  mutated,
  wildcardTexts,
  writeReference,
  writtenReferences,
} from '../arbitraries.js';
import { idms, itms, mirrorSet, type EntryText } from '../mirror-sets.js';
import { judge } from './judge.js';

/** From right to nearly right to anything at all, hosts and paths of the pause image among them. */
const texts = fc.oneof(
  writtenReferences.map(writeReference),
  mutated(writtenReferences.map(writeReference)),
  wildcardTexts,
  fc.constantFrom('mcr.microsoft.com', 'mcr.microsoft.com/oss/kubernetes/pause', 'docker.io/nginx', 'nul.io'),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

const policies = fc.constantFrom<(MirrorSourcePolicy | undefined)[]>(
  undefined,
  'AllowContactingSource',
  'NeverContactSource',
);

const oddSets: fc.Arbitrary<MirrorSet> = fc
  .record({
    kind: fc.constantFrom('ImageDigestMirrorSet' as const, 'ImageTagMirrorSet' as const),
    name: fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
    entries: fc.array(
      fc.tuple(texts, fc.option(fc.array(texts, { maxLength: 6 }), { nil: undefined }), policies),
      { maxLength: 8 },
    ),
    labels: fc.dictionary(
      fc.oneof(fc.constant('mirrorgate.dev/os'), fc.constant('__proto__'), fc.string()),
      fc.oneof(fc.constant('linux'), fc.string()),
    ),
    deleting: fc.boolean(),
  })
  .map(({ kind, name, entries, labels, deleting }) => ({
    ...mirrorSet(kind, name, entries, labels),
    deleting,
  }));

const sets = fc.oneof(mirrorSets, oddSets);

/** The object that a set was read from, as far as findings can point into it. */
function objectOf({ kind, entries }: MirrorSet): unknown {
  return {
    spec: {
      [entryField[kind]]: entries.map(({ source, mirrors, policy }) => ({
        source: source.text,
        mirrors: mirrors.map(({ text }) => text),
        ...(policy !== undefined && { mirrorSourcePolicy: policy }),
      })),
    },
  };
}

function valueAt(object: unknown, path: string): unknown {
  return [...path.matchAll(/[^.[\]]+/g)].reduce<unknown>(
    (value, [key]) => (value as Record<string, unknown> | undefined)?.[key],
    object,
  );
}

function isOneLine(text: string): boolean {
  return /^\S[^\n\r\u2028\u2029]*\S$/.test(text);
}

describe('evaluate, given any mirror sets and any operation', () => {
  it('does not throw, points into the object, and keeps each text on its line', () => {
    fc.assert(
      fc.property(
        fc.oneof(clusters, fc.array(oddSets, { maxLength: 4 })),
        sets,
        fc.option(sets, { nil: undefined }),
        fc.constantFrom('CREATE' as const, 'UPDATE' as const, 'DELETE' as const),
        fc.constantFrom(...profiles),
        fc.boolean(),
        fc.array(texts, { maxLength: 3 }),
        (cluster, set, former, operation, profile, known, insecureRegistries) => {
          const old = former && { ...former, kind: set.kind, name: set.name };
          const { findings } = judge(set, {
            operation,
            ...(old !== undefined && { old }),
            others: known ? cluster.filter((other) => keyOf(other) !== keyOf(set)) : 'unknown',
            policy: { profile },
            insecureRegistries,
          });
          const object = objectOf(set);
          const wrong = findings.filter(
            ({ path, message, fix }) =>
              valueAt(object, path) === undefined || !isOneLine(message) || !isOneLine(fix),
          );
          expect(wrong).toStrictEqual([]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('suggests for a field only what that field may hold', () => {
    fc.assert(
      fc.property(sets, (set) => {
        for (const { path, suggestion } of judge(set).findings) {
          if (suggestion === undefined) continue;
          expect(typeof valueAt(objectOf(set), path)).toBe('string');
          if (path.endsWith('.mirrorSourcePolicy'))
            expect(['AllowContactingSource', 'NeverContactSource']).toContain(suggestion);
          else expect(path).toMatch(/\.source$|\.mirrors\[\d+\]$/);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('finds nothing wrong with the naming of a mirror that it has suggested', () => {
    fc.assert(
      fc.property(mirrorSets, (set) => {
        for (const { rule, path, suggestion } of judge(set).findings) {
          if (rule !== 'windows-mirror-path' || suggestion === undefined) continue;
          const source = valueAt(objectOf(set), path.replace(/\.mirrors\[\d+\]$/, '.source'));
          const mended = mirrorSet(set.kind, 'mended', [[String(source), [suggestion]]]);
          const rules = judge(mended).findings.map((finding) => finding.rule);
          expect(rules).not.toContain('windows-mirror-path');
          expect(rules).not.toContain('invalid-reference');
        }
      }),
      { numRuns: 300 },
    );
  });

  describe('with thousands of entries of one registry', () => {
    // Whatever looks each entry up among all the others takes a minute here, and runs into the time limit.
    const many = 4_000;
    const list = (entryOf: (at: number) => EntryText) => Array.from({ length: many }, (_, at) => entryOf(at));
    const others = [
      idms(
        'other',
        list((at) => [`mirror.local/b/${at}`, [`last.local/b/${at}`]]),
      ),
      idms(
        'rival',
        list((at) => [`quay.io/a/${at}`, [`two.local/a/${at}`, `one.local/a/${at}`]]),
      ),
    ];

    it.each<[string, (at: number) => EntryText]>([
      ['that forbid their source', (at) => [`quay.io/b/${at}`, [`one.local/b/${at}`], 'NeverContactSource']],
      ['that break the naming rule', (at) => [`quay.io/b/${at}`, [`one.local/${at}`]]],
      ['that chain to another registry', (at) => [`quay.io/b/${at}`, [`mirror.local/b/${at}`]]],
      [
        'that order their mirrors otherwise',
        (at) => [`quay.io/a/${at}`, [`one.local/a/${at}`, `two.local/a/${at}`]],
      ],
      [
        'that conflict in pairs',
        (at) => [
          `quay.io/b/${at >> 1}`,
          [`one.local/b/${at >> 1}`],
          at % 2 === 0 ? 'NeverContactSource' : 'AllowContactingSource',
        ],
      ],
      [
        'that conflict about one source, half of them against the other half',
        (at) => [
          'quay.io/b',
          [`one.local/${at}/b`],
          at < many / 2 ? 'AllowContactingSource' : 'NeverContactSource',
        ],
      ],
    ])('%s, comes to an end', (_, entryOf) => {
      const set = itms('many', list(entryOf));
      expect(judge(set, { others }).findings.length).toBeGreaterThan(0);
      expect(
        judge(set, { others, old: { ...set, entries: set.entries.slice(1) } }).findings.length,
      ).toBeGreaterThan(0);
      expect(judge(set, { others, operation: 'DELETE' }).findings.length).toBeGreaterThan(0);
    });

    it('that are mirrors of a single entry, comes to an end', () => {
      const mirrors = Array.from({ length: many }, (_, at) => `one.local/${at}/b`);
      const set = itms('long', [['quay.io/b', mirrors]]);
      const reverse = itms('reverse', [
        ['quay.io/c', mirrors.map((mirror) => mirror.replace(/b$/, 'c')).reverse()],
      ]);
      expect(judge(set, { others: [reverse] }).findings.map(({ rule }) => rule)).toContain(
        'mirror-order-conflict',
      );
      expect(judge(itms('long', [['quay.io/b', []]]), { old: set }).findings.length).toBeGreaterThan(0);
      expect(judge(set, { operation: 'DELETE' }).findings).toHaveLength(1);
    });
  });
});
