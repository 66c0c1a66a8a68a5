import { describe, expect, it } from 'vitest';
import { parsePullSecret } from '../../../src/hosts/pull-secret.js';
import { renderHosts, type RenderedHosts } from '../../../src/hosts/render.js';
import { revisionOf } from '../../../src/hosts/revision.js';
import { parseInsecureRegistries } from '../../../src/mirrors/insecure-registries.js';
import type { MirrorSet } from '../../../src/mirrors/mirror-set.js';
import { mergeRegistries, type ViewOptions } from '../../../src/mirrors/registry-view.js';
import { idms, itms } from '../mirror-sets.js';

interface Given {
  readonly auths?: Record<string, unknown>;
  readonly insecure?: readonly string[];
  readonly naming?: ViewOptions['naming'];
}

function render(sets: readonly MirrorSet[], given: Given = {}): RenderedHosts {
  const { auths, insecure = [], naming = 'shorten' } = given;
  return renderHosts(mergeRegistries(sets, { naming, linuxOnlySources: [] }), {
    credentials: auths === undefined ? undefined : parsePullSecret(JSON.stringify({ auths })),
    insecure: parseInsecureRegistries(insecure).registries,
  });
}

/** The files as directory → content. */
function filesOf(sets: readonly MirrorSet[], given?: Given): Record<string, string> {
  return Object.fromEntries(render(sets, given).desired.files);
}

function auth(user: string): { auth: string } {
  return { auth: Buffer.from(`${user}:pass`).toString('base64') };
}

const alice = `Basic ${auth('alice').auth}`;
const bob = `Basic ${auth('bob').auth}`;

describe('a registry that may be contacted', () => {
  it('has its own API as fallback and a digest mirror for pulling only', () => {
    expect(
      filesOf([idms('ubi', [['registry.access.redhat.com/ubi9', ['example.io/example/ubi9']]])]),
    ).toEqual({
      'registry.access.redhat.com': `# Managed by mirrorgate. Changes are overwritten.
server = "https://registry.access.redhat.com/v2"
override_path = true

[host."https://example.io/v2/example"]
capabilities = ["pull"]
override_path = true
`,
    });
  });

  it('has its mirrors in the order of the user, and a tag mirror for resolving as well', () => {
    expect(
      filesOf([
        itms('tags', [['quay.io', ['z.io', 'a.io/cache', 'quay.io']]]),
        idms('digests', [['quay.io', ['a.io/cache', 'b.io:5000']]]),
      ]),
    ).toEqual({
      'quay.io': `# Managed by mirrorgate. Changes are overwritten.
server = "https://quay.io/v2"
override_path = true

[host."https://z.io/v2"]
capabilities = ["pull", "resolve"]
override_path = true

[host."https://a.io/v2/cache"]
capabilities = ["pull", "resolve"]
override_path = true

[host."https://b.io:5000/v2"]
capabilities = ["pull"]
override_path = true

[host."https://quay.io/v2"]
capabilities = ["pull", "resolve"]
override_path = true
`,
    });
  });

  it("uses Docker Hub's API host as fallback and as mirror, under the directory docker.io", () => {
    const files = filesOf([
      idms('hub', [
        ['docker.io', ['harbor.local/docker.io']],
        ['mirrored.io', ['docker.io/org']],
      ]),
    ]);
    expect(files['docker.io']).toContain('server = "https://registry-1.docker.io/v2"\n');
    expect(files['docker.io']).toContain('[host."https://harbor.local/v2/docker.io"]\n');
    expect(files['mirrored.io']).toContain('[host."https://registry-1.docker.io/v2/org"]\n');
  });

  it('on a port has a directory that Windows can hold', () => {
    expect(Object.keys(filesOf([idms('port', [['Source.local:5000/a', ['m.io/a']]])]))).toEqual([
      'source.local_5000_',
    ]);
  });

  it('whose mirrors are all left out by naming has no file and no finding', () => {
    const rendered = render([idms('inexact', [['quay.io/a/b', ['m.io/c']]])], { naming: 'omit' });
    expect([...rendered.desired.files]).toEqual([]);
    expect(rendered.findings).toEqual([]);
  });

  it('has a mirror that breaks the naming rule without the common suffix, unless naming is omit', () => {
    const sets = [idms('inexact', [['quay.io/a/b', ['m.io/x/b', 'n.io/y/a/b']]])];
    expect(filesOf(sets)['quay.io']).toContain('[host."https://m.io/v2/x"]\n');
    expect(filesOf(sets, { naming: 'omit' })['quay.io']).not.toContain('m.io');
    expect(filesOf(sets, { naming: 'omit' })['quay.io']).toContain('[host."https://n.io/v2/y"]\n');
  });
});

describe('a registry that must never be contacted', () => {
  it('has its first mirror as fallback, which may do no more than the mirror', () => {
    expect(
      filesOf([
        idms('never', [['registry.redhat.io', ['mirror.example.com', 'b.io'], 'NeverContactSource']]),
      ]),
    ).toEqual({
      'registry.redhat.io': `# Managed by mirrorgate. Changes are overwritten.
server = "https://mirror.example.com/v2"
capabilities = ["pull"]
override_path = true

[host."https://mirror.example.com/v2"]
capabilities = ["pull"]
override_path = true

[host."https://b.io/v2"]
capabilities = ["pull"]
override_path = true
`,
    });
  });

  it('has the header and skip_verify of its first mirror at the top level, root keys before tables', () => {
    expect(
      filesOf([itms('never', [['quay.io', ['m.io/org', 'b.io'], 'NeverContactSource']])], {
        auths: { 'm.io/org': auth('alice'), 'quay.io': auth('bob') },
        insecure: ['m.io'],
      }),
    ).toEqual({
      'quay.io': `# Managed by mirrorgate. Changes are overwritten.
server = "http://m.io/v2/org"
capabilities = ["pull", "resolve"]
override_path = true
skip_verify = true

[header]
Authorization = "${alice}"

[host."http://m.io/v2/org"]
capabilities = ["pull", "resolve"]
override_path = true
skip_verify = true

[host."http://m.io/v2/org".header]
Authorization = "${alice}"

[host."https://b.io/v2"]
capabilities = ["pull", "resolve"]
override_path = true
`,
    });
  });

  it('and has no usable mirror goes nowhere, with a finding', () => {
    const rendered = render([idms('never', [['quay.io/a/b', ['m.io/c'], 'NeverContactSource']])], {
      naming: 'omit',
      auths: { 'quay.io': auth('alice') },
      insecure: ['quay.io'],
    });
    expect(Object.fromEntries(rendered.desired.files)).toEqual({
      'quay.io': `# Managed by mirrorgate. Changes are overwritten.
server = "https://mirrorgate.invalid/v2"
capabilities = ["pull"]
override_path = true

[host."https://mirrorgate.invalid/v2"]
capabilities = ["pull"]
override_path = true
`,
    });
    expect(rendered.findings).toEqual([
      {
        code: 'never-contact-unreachable',
        registry: 'quay.io',
        message: expect.stringMatching(
          /^no image of quay\.io can be pulled on Windows: .*; give it a mirror/,
        ) as string,
      },
    ]);
  });

  it('never has its own address among its mirrors', () => {
    for (const naming of ['shorten', 'omit'] as const) {
      const files = filesOf(
        [
          idms('never', [['docker.io', ['registry-1.docker.io', 'm.io'], 'NeverContactSource']]),
          itms('also', [['docker.io/library/x', ['docker.io/y/x', 'registry-1.docker.io/library/x']]]),
        ],
        { naming },
      );
      expect(files['docker.io']).not.toMatch(/"https:\/\/registry-1\.docker\.io\/v2"/);
      expect(files['docker.io']).toContain('[host."https://m.io/v2"]');
    }
  });
});

describe('credentials', () => {
  const sets = [idms('a', [['quay.io/x', ['m.io/org/x', 'n.io/x']]])];

  it('of the most specific key go to host entries, and those of the whole source registry to the fallback', () => {
    expect(
      filesOf(sets, {
        auths: { 'm.io': auth('bob'), 'm.io/org': auth('alice'), 'quay.io': auth('bob') },
      }),
    ).toEqual({
      'quay.io': `# Managed by mirrorgate. Changes are overwritten.
server = "https://quay.io/v2"
override_path = true

[header]
Authorization = "${bob}"

[host."https://m.io/v2/org"]
capabilities = ["pull"]
override_path = true

[host."https://m.io/v2/org".header]
Authorization = "${alice}"

[host."https://n.io/v2"]
capabilities = ["pull"]
override_path = true
`,
    });
  });

  it('of one namespace of the source, or of a path below a host entry, are not used', () => {
    expect(filesOf(sets, { auths: { 'quay.io/x': auth('alice'), 'm.io/org/x': auth('alice') } })).toEqual(
      filesOf(sets),
    );
  });

  it("of Docker Hub's key go to docker.io", () => {
    const files = filesOf([idms('hub', [['docker.io', ['m.io']]])], {
      auths: { 'https://index.docker.io/v1/': auth('alice') },
    });
    expect(files['docker.io']).toContain(`\n[header]\nAuthorization = "${alice}"\n`);
  });

  it('that cannot be used are findings; everything else is rendered', () => {
    const rendered = render(sets, {
      auths: { 'm.io': { identitytoken: 'x' }, 'quay.io': auth('alice') },
    });
    expect(rendered.findings).toMatchObject([{ code: 'credential-unusable', key: 'm.io' }]);
    expect(rendered.desired.files.get('quay.io')).toBe(
      filesOf(sets, { auths: { 'quay.io': auth('alice') } })['quay.io'],
    );
  });

  it('of a broken pull secret are one finding; everything else is rendered', () => {
    const rendered = renderHosts(mergeRegistries(sets, { naming: 'shorten', linuxOnlySources: [] }), {
      credentials: parsePullSecret('{'),
      insecure: parseInsecureRegistries([]).registries,
    });
    expect(rendered.findings).toMatchObject([{ code: 'pull-secret-malformed' }]);
    expect(Object.fromEntries(rendered.desired.files)).toEqual(filesOf(sets));
  });
});

describe('insecure registries', () => {
  const sets = [idms('a', [['quay.io/x', ['m.io/org/x', 'n.sub.io:5000/x']]])];

  it.each<[string, string[], string[]]>([
    ['a host', ['m.io'], ['http://m.io/v2/org']],
    ['a path around the host entry', ['m.io/org'], ['http://m.io/v2/org']],
    ['a path below the host entry', ['m.io/org/x'], []],
    ['a sibling path', ['m.io/organisation'], []],
    ['a wildcard', ['*.sub.io'], ['http://n.sub.io:5000/v2']],
    ['a host without its port', ['n.sub.io'], []],
    ['the source, as fallback', ['quay.io'], ['http://quay.io/v2']],
    ['a path of the source', ['quay.io/x'], []],
  ])('listed as %s', (_, insecure, expected) => {
    const content = filesOf(sets, { insecure })['quay.io'] ?? '';
    const urls = [...content.matchAll(/"(http:\/\/[^"]+)"/g)].map(([, url]) => url);
    expect(urls).toEqual(expected);
    expect(content.match(/^skip_verify = true$/gm) ?? []).toHaveLength(expected.length);
  });

  it('have skip_verify behind override_path', () => {
    expect(filesOf(sets, { insecure: ['quay.io', 'm.io', '*.sub.io'] })['quay.io']).toBe(
      `# Managed by mirrorgate. Changes are overwritten.
server = "http://quay.io/v2"
override_path = true
skip_verify = true

[host."http://m.io/v2/org"]
capabilities = ["pull"]
override_path = true
skip_verify = true

[host."http://n.sub.io:5000/v2"]
capabilities = ["pull"]
override_path = true
skip_verify = true
`,
    );
  });
});

describe('the desired state', () => {
  const sets = [
    idms('one', [
      ['z.io', ['m.io']],
      ['a.io:5000', ['m.io']],
    ]),
    itms('two', [['a.io', ['m.io', 'n.io']]]),
  ];

  it('is sorted by directory and carries its revision', () => {
    const { desired } = render(sets);
    expect([...desired.files.keys()]).toEqual(['a.io', 'a.io_5000_', 'z.io']);
    expect(desired.revision).toBe(revisionOf(desired.files));
  });

  it('does not depend on the order of the configs', () => {
    const configs = mergeRegistries(sets, { naming: 'shorten', linuxOnlySources: [] });
    const options = { insecure: parseInsecureRegistries([]).registries };
    expect([...renderHosts(configs.toReversed(), options).desired.files]).toEqual([
      ...renderHosts(configs, options).desired.files,
    ]);
  });

  it('of no mirror sets is empty and has a revision', () => {
    expect(render([]).desired).toEqual({ files: new Map(), revision: revisionOf(new Map()) });
  });

  it('refuses two configs for one registry', () => {
    const configs = mergeRegistries(sets, { naming: 'shorten', linuxOnlySources: [] });
    expect(() =>
      renderHosts([...configs, ...configs], { insecure: parseInsecureRegistries([]).registries }),
    ).toThrow('one directory a.io');
  });

  it('leaves out a registry whose directory Windows cannot hold, with a finding', () => {
    const rendered = render([
      idms('reserved', [
        ['nul.example.com/a', ['m.io/a'], 'NeverContactSource'],
        ['con', ['m.io']],
        ['aux:5000', ['m.io']],
        ['fine.io', ['m.io']],
      ]),
    ]);
    expect([...rendered.desired.files.keys()]).toEqual(['aux_5000_', 'fine.io']);
    expect(rendered.findings).toMatchObject([
      { code: 'registry-unnameable', registry: 'con' },
      { code: 'registry-unnameable', registry: 'nul.example.com' },
    ]);
  });

  it('holds a registry of 10,000 mirrors', () => {
    const entries = Array.from(
      { length: 10_000 },
      (_, at) => [`quay.io/o/i${at}`, [`m${at}.io/o/i${at}`]] as const,
    );
    const content = filesOf([idms('many', entries)])['quay.io'] ?? '';
    expect(content.match(/^\[host\./gm)).toHaveLength(10_000);
  });

  it('names no mirror of another registry', () => {
    expect(filesOf(sets)['z.io']).not.toContain('n.io');
  });
});
