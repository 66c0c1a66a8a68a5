import { describe, expect, it } from 'vitest';
import {
  formatFieldPath,
  isMirrorSetKind,
  parseMirrorSet,
  type SchemaFault,
} from '../../../src/mirrors/mirror-set-schema.js';
import type { MirrorSetKind } from '../../../src/mirrors/mirror-set.js';
import { idms, itms } from '../mirror-sets.js';

function faultsOf(kind: MirrorSetKind, value: unknown): readonly SchemaFault[] {
  const parsed = parseMirrorSet(kind, value);
  return parsed.ok ? [] : parsed.faults;
}

function digestSet(entry: unknown): unknown {
  return { metadata: { name: 'a' }, spec: { imageDigestMirrors: [{ source: 'q.io' }, entry] } };
}

describe('isMirrorSetKind', () => {
  it.each([
    ['ImageDigestMirrorSet', true],
    ['ImageTagMirrorSet', true],
    ['ImageContentSourcePolicy', false],
    ['imagetagmirrorset', false],
    ['constructor', false],
    ['toString', false],
    ['__proto__', false],
    [undefined, false],
    [['ImageTagMirrorSet'], false],
  ])('%j: %s', (kind, expected) => {
    expect(isMirrorSetKind(kind)).toBe(expected);
  });
});

describe('parseMirrorSet', () => {
  it('reads entries with their field paths, and ignores fields that it does not know', () => {
    const value = {
      apiVersion: 'config.openshift.io/v1',
      kind: 'ImageDigestMirrorSet',
      metadata: { name: 'a', uid: 'x', labels: { team: 'b' }, managedFields: [] },
      spec: {
        imageDigestMirrors: [
          {
            source: 'q.io/a',
            mirrors: ['m.io/a', 'n.io/a'],
            mirrorSourcePolicy: 'NeverContactSource',
            note: 1,
          },
          { source: 'r.io' },
        ],
        imageTagMirrors: [{ source: 'of another kind' }],
      },
      status: {},
    };
    expect(parseMirrorSet('ImageDigestMirrorSet', value)).toEqual({
      ok: true,
      set: idms(
        'a',
        [
          ['q.io/a', ['m.io/a', 'n.io/a'], 'NeverContactSource'],
          ['r.io', undefined],
        ],
        { team: 'b' },
      ),
    });
  });

  it('reads the entries of an ITMS from its own field', () => {
    const value = {
      metadata: { name: 't' },
      spec: { imageTagMirrors: [{ source: 'q.io', mirrors: ['m.io'] }] },
    };
    const parsed = parseMirrorSet('ImageTagMirrorSet', value);
    expect(parsed).toEqual({ ok: true, set: itms('t', [['q.io', ['m.io']]]) });
    expect(parsed.ok && parsed.set.entries[0]!.mirrors[0]!.path).toBe('spec.imageTagMirrors[0].mirrors[0]');
  });

  it.each([
    ['no spec', { metadata: { name: 'a' } }],
    ['a null spec', { metadata: { name: 'a', labels: null }, spec: null }],
    ['null entries', { metadata: { name: 'a' }, spec: { imageDigestMirrors: null } }],
  ])('takes %s as a set without entries', (_, value) => {
    expect(parseMirrorSet('ImageDigestMirrorSet', value)).toEqual({ ok: true, set: idms('a', []) });
  });

  it('keeps references that are wrong, for a rule to report', () => {
    const parsed = parseMirrorSet(
      'ImageDigestMirrorSet',
      digestSet({ source: 'https://q.io', mirrors: [''] }),
    );
    const entry = parsed.ok ? parsed.set.entries[1] : undefined;
    expect(entry?.source).toMatchObject({ text: 'https://q.io', parsed: { ok: false } });
    expect(entry?.mirrors[0]).toMatchObject({ text: '', parsed: { ok: false } });
  });

  it('knows a set that is being deleted, and one whose name is yet to be generated', () => {
    const parsed = parseMirrorSet('ImageTagMirrorSet', {
      metadata: { generateName: 'mirror-', deletionTimestamp: '2024-01-01T00:00:00Z' },
    });
    expect(parsed).toMatchObject({ ok: true, set: { name: 'mirror-…', deleting: true } });
  });

  it.each<[unknown, SchemaFault]>([
    [{}, { path: 'metadata', message: 'expected object, found none' }],
    [{ metadata: {} }, { path: 'metadata.name', message: 'expected a name, found none' }],
    [{ metadata: { name: '' } }, { path: 'metadata.name', message: 'expected a name, found none' }],
    [{ metadata: { name: 1 } }, { path: 'metadata.name', message: 'expected string, found number' }],
    [
      { metadata: { name: 'a', labels: { b: true } } },
      { path: 'metadata.labels.b', message: 'expected string, found boolean' },
    ],
    [
      { metadata: { name: 'a' }, spec: { imageDigestMirrors: {} } },
      { path: 'spec.imageDigestMirrors', message: 'expected array, found object' },
    ],
    [digestSet({}), { path: 'spec.imageDigestMirrors[1].source', message: 'expected string, found none' }],
    [digestSet('q.io'), { path: 'spec.imageDigestMirrors[1]', message: 'expected object, found string' }],
    [
      digestSet({ source: 'q.io', mirrors: 'm.io' }),
      { path: 'spec.imageDigestMirrors[1].mirrors', message: 'expected array, found string' },
    ],
    [
      digestSet({ source: 'q.io', mirrors: ['m.io', null] }),
      { path: 'spec.imageDigestMirrors[1].mirrors[1]', message: 'expected string, found null' },
    ],
    [
      digestSet({ source: 'q.io', mirrorSourcePolicy: 'Sometimes' }),
      {
        path: 'spec.imageDigestMirrors[1].mirrorSourcePolicy',
        message: 'expected one of "AllowContactingSource", "NeverContactSource"',
      },
    ],
    [null, { path: '', message: 'expected object, found null' }],
    [[], { path: '', message: 'expected object, found array' }],
  ])('refuses %j', (value, fault) => {
    expect(faultsOf('ImageDigestMirrorSet', value)).toEqual([fault]);
  });

  it('reports every fault at once', () => {
    const value = { metadata: { name: 1 }, spec: { imageTagMirrors: [{}, { source: 2, mirrors: [3] }] } };
    expect(faultsOf('ImageTagMirrorSet', value).map(({ path }) => path)).toEqual([
      'metadata.name',
      'spec.imageTagMirrors[0].source',
      'spec.imageTagMirrors[1].source',
      'spec.imageTagMirrors[1].mirrors[0]',
    ]);
  });
});

describe('formatFieldPath', () => {
  it.each([
    [[], ''],
    [['spec', 'imageTagMirrors', 0, 'mirrors', 12], 'spec.imageTagMirrors[0].mirrors[12]'],
    [[0, 'a'], '[0].a'],
  ])('of %j is %s', (path, expected) => {
    expect(formatFieldPath(path)).toBe(expected);
  });
});
