import { describe, expect, it } from 'vitest';
import { parseManifests } from '../../../src/mirrors/manifest.js';
import { keyOf } from '../../../src/mirrors/mirror-set.js';
import { mirrorSetApiVersion } from '../../../src/mirrors/mirror-set-schema.js';

const digestSet = `# Mirrors of the base images.
apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata:
  name: base
spec:
  imageDigestMirrors:
    - mirrors: # in order
        - m.io/a
        - "n.io/a"
      source: q.io/a
    - source: r.io
      mirrorSourcePolicy: NeverContactSource
      mirrors: [m.io]
`;

const tagSet = `apiVersion: config.openshift.io/v1
kind: ImageTagMirrorSet
metadata: {name: tags}
spec: {imageTagMirrors: [{source: q.io, mirrors: [m.io]}]}
`;

function read(text: string) {
  return parseManifests(text, 'mirrors.yaml');
}

/** Kind and name of every set. */
function keysOf(text: string): string[] {
  return read(text).sets.map(({ set }) => keyOf(set));
}

/** `line:column message` of every fault. */
function faultsOf(text: string): string[] {
  return read(text).faults.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

/** `line:column` of a field of the nth set. */
function placeOf(text: string, fieldPath: string, nth = 0): string {
  const { file, line, column } = read(text).sets[nth]!.locate(fieldPath);
  expect(file).toBe('mirrors.yaml');
  return `${line}:${column}`;
}

describe('forms of manifests', () => {
  it('reads one document', () => {
    expect(keysOf(digestSet)).toEqual(['ImageDigestMirrorSet/base']);
    expect(faultsOf(digestSet)).toEqual([]);
  });

  it('reads several, and passes over empty ones and comments', () => {
    const text = `---\n# nothing\n---\n${digestSet}---\n---\n${tagSet}...\n---\nnull\n`;
    expect(keysOf(text)).toEqual(['ImageDigestMirrorSet/base', 'ImageTagMirrorSet/tags']);
    expect(faultsOf(text)).toEqual([]);
  });

  it.each(['', '\n\n', '# only a comment\n', '---\n', '\ufeff'])('finds nothing in %j', (text) => {
    expect(read(text)).toEqual({ sets: [], insecureRegistries: [], skipped: [], faults: [] });
  });

  it('reads JSON', () => {
    const object = {
      apiVersion: mirrorSetApiVersion,
      kind: 'ImageTagMirrorSet',
      metadata: { name: 'json' },
      spec: { imageTagMirrors: [{ source: 'q.io', mirrors: ['m.io'] }] },
    };
    const text = JSON.stringify(object, null, 2);
    expect(keysOf(text)).toEqual(['ImageTagMirrorSet/json']);
    expect(placeOf(text, 'spec.imageTagMirrors[0].mirrors[0]')).toBe('12:11');
    expect(keysOf(JSON.stringify(object))).toEqual(['ImageTagMirrorSet/json']);
  });

  it('reads a List, and lists within it', () => {
    const text = `apiVersion: v1
kind: List
items:
  - apiVersion: config.openshift.io/v1
    kind: ImageDigestMirrorSet
    metadata: {name: one}
    spec:
      imageDigestMirrors:
        - source: q.io
          mirrors:
            - m.io
  - kind: List
    items:
      - apiVersion: config.openshift.io/v1
        kind: ImageTagMirrorSet
        metadata: {name: two}
`;
    expect(keysOf(text)).toEqual(['ImageDigestMirrorSet/one', 'ImageTagMirrorSet/two']);
    expect(placeOf(text, 'spec.imageDigestMirrors[0].mirrors[0]')).toBe('11:15');
    expect(placeOf(text, '', 1)).toBe('14:9');
  });

  it('reads a typed list, whose items need not say what they are', () => {
    const text = `apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSetList
items:
- metadata: {name: one}
- metadata: {name: two}
  apiVersion: config.openshift.io/v1
  kind: ImageTagMirrorSet
`;
    expect(keysOf(text)).toEqual(['ImageDigestMirrorSet/one', 'ImageTagMirrorSet/two']);
  });

  it('follows anchors and merge keys', () => {
    const text = `apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata: {name: anchors}
spec:
  imageDigestMirrors:
    - &first
      source: q.io
      mirrors: &list [m.io, n.io]
    - {source: r.io, mirrors: *list}
    - {<<: *first, source: s.io}
`;
    const [manifest] = read(text).sets;
    expect(faultsOf(text)).toEqual([]);
    expect(
      manifest!.set.entries.map(({ source, mirrors }) => [source.text, mirrors.map((m) => m.text)]),
    ).toEqual([
      ['q.io', ['m.io', 'n.io']],
      ['r.io', ['m.io', 'n.io']],
      ['s.io', ['m.io', 'n.io']],
    ]);
    // What an alias stands for is placed at the alias.
    expect(placeOf(text, 'spec.imageDigestMirrors[1].mirrors[1]')).toBe('9:31');
  });

  it('reads an item that an alias repeats once, and a list that holds itself', () => {
    expect(
      keysOf(
        `kind: List\nitems: [&a {apiVersion: ${mirrorSetApiVersion}, kind: ImageTagMirrorSet, metadata: {name: a}}, *a]`,
      ),
    ).toEqual(['ImageTagMirrorSet/a']);
    expect(read('&a\nkind: List\nitems: [*a, *a]\n').sets).toEqual([]);
    expect(
      read('kind: List\nitems: [&a {kind: List, items: [*a, &b {kind: List, items: [*a, *b]}]}]\n').sets,
    ).toEqual([]);
  });
});

describe('places', () => {
  it.each([
    ['', '2:1'],
    ['metadata.name', '5:9'],
    ['spec.imageDigestMirrors[0]', '8:7'],
    ['spec.imageDigestMirrors[0].mirrors[0]', '9:11'],
    ['spec.imageDigestMirrors[0].mirrors[1]', '10:11'],
    ['spec.imageDigestMirrors[0].source', '11:15'],
    ['spec.imageDigestMirrors[1].mirrorSourcePolicy', '13:27'],
    ['spec.imageDigestMirrors[1].mirrors[0]', '14:17'],
    // What is not there is placed at the nearest field around it.
    ['spec.imageDigestMirrors[0].mirrorSourcePolicy', '8:7'],
    ['spec.imageDigestMirrors[0].mirrors[9]', '9:9'],
    ['spec.imageDigestMirrors[9].source', '8:5'],
    ['status.x', '2:1'],
  ])('of %j is %s', (fieldPath, place) => {
    expect(placeOf(digestSet, fieldPath)).toBe(place);
  });

  it.each([
    ['Windows line ends', digestSet.replaceAll('\n', '\r\n')],
    ['a byte order mark', `\ufeff${digestSet}`],
  ])('are the same with %s', (_, text) => {
    expect(placeOf(text, 'spec.imageDigestMirrors[0].mirrors[1]')).toBe('10:11');
    expect(placeOf(text.replace('# Mirrors of the base images.', ''), '')).toBe('2:1');
  });

  it('do not count a byte order mark as a column', () => {
    expect(placeOf(`\ufeff${tagSet}`, '')).toBe('1:1');
  });

  it('of a later document count from the start of the file', () => {
    expect(placeOf(`${digestSet}---\n${tagSet}`, 'spec.imageTagMirrors[0].source', 1)).toBe('19:35');
  });
});

describe('what cannot be read', () => {
  it.each([
    ['a flow that is never closed', 'kind: [\n'],
    ['bad indentation', '  a: b\n c: d\n'],
    ['a tab as indentation', 'a:\n\tb: c\n'],
    ['a repeated key', 'kind: A\nkind: B\n'],
    ['an alias of nothing', 'kind: *nothing\n'],
    ['a list as document', '- a\n- b\n'],
    ['text as document', 'hello\n'],
  ])('as the second document of three (%s) is one fault there, and the others are read', (_, broken) => {
    const text = `${digestSet}---\n${broken}---\n${tagSet}`;
    expect(keysOf(text)).toEqual(['ImageDigestMirrorSet/base', 'ImageTagMirrorSet/tags']);
    const { faults } = read(text);
    expect(faults).toHaveLength(1);
    expect(faults[0]!.line).toBeGreaterThanOrEqual(16);
    expect(faults[0]!.line).toBeLessThanOrEqual(18);
    expect(faults[0]!.message).not.toContain('\n');
  });

  it.each([
    ['kind: A\nkind: B\n', '2:1 the key "kind" stands twice in one mapping'],
    ['{"kind": "A", "kind": "B"}', '1:15 the key "kind" stands twice in one mapping'],
    ['kind: A\nspec: {a: {1: x, "1": y}}\n', '2:18 the key "1" stands twice in one mapping'],
    ['- a\n', '1:1 expected a Kubernetes object, found something that is not a mapping'],
    ['hello', '1:1 expected a Kubernetes object, found something that is not a mapping'],
    ['a: 1\n', '1:1 kind: expected string, found none'],
    ['kind: 5\n', '1:7 kind: expected string, found number'],
    ['kind: List\nitems: 5\n', '2:8 items: expected array'],
    ['kind: List\nitems: [5]\n', '2:9 expected object, found number'],
    ['kind: ImageTagMirrorSet\n', '1:1 apiVersion: expected config.openshift.io/v1, found none'],
    [
      'kind: ImageTagMirrorSet\napiVersion: config.openshift.io/v1alpha1\n',
      '2:13 apiVersion: expected config.openshift.io/v1, found config.openshift.io/v1alpha1',
    ],
    [tagSet.replace('{name: tags}', '{}'), '3:11 metadata.name: expected a name, found none'],
    [
      tagSet.replace('[m.io]', '[m.io, 5]'),
      '4:57 spec.imageTagMirrors[0].mirrors[1]: expected string, found number',
    ],
    [
      digestSet.replace('NeverContactSource', 'Never'),
      '13:27 spec.imageDigestMirrors[1].mirrorSourcePolicy: expected one of "AllowContactingSource", "NeverContactSource"',
    ],
    ['%YAML 9\n', '1:7 Unsupported YAML version 9'],
    [']', '1:1 Unexpected flow-seq-end token in YAML document: "]"'],
  ])('%j: %s', (text, fault) => {
    expect(faultsOf(text)).toEqual([fault]);
    expect(keysOf(text)).toEqual([]);
  });

  it('in a List is placed in its item, with the field path of the item', () => {
    const text = `kind: List
items:
  - {apiVersion: config.openshift.io/v1, kind: ImageTagMirrorSet, metadata: {name: a}}
  - apiVersion: config.openshift.io/v1
    kind: ImageTagMirrorSet
    metadata: {name: b}
    spec: {imageTagMirrors: [{}]}
`;
    expect(faultsOf(text)).toEqual(['7:30 spec.imageTagMirrors[0].source: expected string, found none']);
    expect(keysOf(text)).toEqual(['ImageTagMirrorSet/a']);
  });
});

describe('other kinds', () => {
  it('are skipped by name and place', () => {
    const text = `kind: ConfigMap\nmetadata: {name: a}\n---\n${tagSet}---\nkind: toString\napiVersion: ${mirrorSetApiVersion}\n`;
    expect(read(text).skipped).toEqual([
      { file: 'mirrors.yaml', line: 1, column: 1, kind: 'ConfigMap', name: 'a' },
      { file: 'mirrors.yaml', line: 9, column: 1, kind: 'toString', name: '' },
    ]);
    expect(keysOf(text)).toEqual(['ImageTagMirrorSet/tags']);
  });

  it('the cluster image config gives its insecure registries', () => {
    const text = `apiVersion: config.openshift.io/v1
kind: Image
metadata: {name: cluster}
spec:
  registrySources:
    insecureRegistries: [a.io, "*.b.io"]
---
apiVersion: config.openshift.io/v1
kind: Image
---
apiVersion: image.openshift.io/v1
kind: Image
spec: {registrySources: {insecureRegistries: [other.io]}}
`;
    expect(read(text).insecureRegistries).toEqual(['a.io', '*.b.io']);
    expect(read(text).skipped.map(({ kind }) => kind)).toEqual(['Image']);
  });

  it('a cluster image config with a wrong list is a fault', () => {
    const text =
      'apiVersion: config.openshift.io/v1\nkind: Image\nspec: {registrySources: {insecureRegistries: a.io}}\n';
    expect(faultsOf(text)).toEqual([
      '3:46 spec.registrySources.insecureRegistries: expected array, found string',
    ]);
  });
});

describe('hostile input', () => {
  it.each([
    ['sequences', '['.repeat(200_000)],
    ['mappings', '{a: '.repeat(50_000)],
    ['block sequences', '- '.repeat(100_000)],
    ['explicit keys', '? '.repeat(100_000)],
  ])('nested %s are one fault, and no stack overflows', (_, deep) => {
    const { faults, sets } = read(`${tagSet}---\n${deep}`);
    expect(faults.map(({ message }) => message)).toEqual([
      'nested deeper than 100 levels: not read any further',
    ]);
    expect(sets).toHaveLength(1);
  });

  it('nesting that objects may have is read', () => {
    const deep = `kind: Other\nspec: ${'{a: ['.repeat(40)}${']}'.repeat(40)}\n`;
    expect(faultsOf(deep)).toEqual([]);
  });

  it.each([
    [
      'a mapping of very many keys',
      `kind: A\n${Array.from({ length: 20_000 }, (_, at) => `k${at}: 1`).join('\n')}\n`,
      [],
    ],
    [
      'aliases that multiply',
      `${Array.from(
        { length: 9 },
        (_, at) =>
          `a${at}: &a${at} [${
            at === 0
              ? 'x'
              : Array(9)
                  .fill(`*a${at - 1}`)
                  .join(',')
          }]`,
      ).join('\n')}\nkind: A\n`,
      ['1:1 Excessive alias count indicates a resource exhaustion attack'],
    ],
    [
      'very many aliases',
      `kind: A\nb: [${Array.from({ length: 5_000 }, (_, at) => `&a${at} x, *a${at}`).join(',')}]\n`,
      [expect.stringMatching(/^2:\d+ more than 1000 aliases in one document$/)],
    ],
    ['a very long scalar', `kind: "${'x'.repeat(1_000_000)}"\n`, []],
  ])('%s', (_, text, faults) => {
    expect(faultsOf(text)).toEqual(faults);
  });
});
