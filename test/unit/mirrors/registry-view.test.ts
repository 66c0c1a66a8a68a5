import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MirrorSet } from '../../../src/mirrors/mirror-set.js';
import { apiRegistryOf } from '../../../src/mirrors/naming.js';
import {
  hostEntryLocation,
  mergeRegistries,
  registryName,
  type RegistryConfig,
  type ViewOptions,
} from '../../../src/mirrors/registry-view.js';
import { clusters } from '../arbitraries.js';
import { idms, itms, reference } from '../mirror-sets.js';

const shorten: ViewOptions = { naming: 'shorten', linuxOnlySources: [] };

function merge(sets: readonly MirrorSet[], options: Partial<ViewOptions> = {}): RegistryConfig[] {
  return mergeRegistries(sets, { ...shorten, ...options });
}

/** Registry → its host entries as `key` (pull) or `key +resolve`, and `never` where the source is forbidden. */
function summaryOf(sets: readonly MirrorSet[], options?: Partial<ViewOptions>): Record<string, string[]> {
  return Object.fromEntries(
    merge(sets, options).map((config) => [
      registryName(config),
      [
        ...config.hosts.map(({ key, resolve }) => (resolve ? `${key} +resolve` : key)),
        ...(config.neverContact ? ['never'] : []),
      ],
    ]),
  );
}

describe('capabilities', () => {
  it('are pull for an IDMS, pull and resolve for an ITMS, and their union for one host entry of both', () => {
    const sets = [idms('d', [['q.io', ['a.io', 'both.io']]]), itms('t', [['q.io', ['both.io', 'b.io']]])];
    expect(summaryOf(sets)).toEqual({ 'q.io': ['a.io', 'both.io +resolve', 'b.io +resolve'] });
  });

  it('are united over entries whose mirrors come to one host entry', () => {
    const sets = [idms('d', [['q.io/x/y', ['m.io/p/x/y']]]), itms('t', [['q.io/z', ['m.io/p/z']]])];
    expect(summaryOf(sets)).toEqual({ 'q.io': ['m.io/p +resolve'] });
    const [host] = merge(sets)[0]!.hosts;
    expect(host!.origins.map(({ kind, name, path }) => [kind, name, path])).toEqual([
      ['ImageDigestMirrorSet', 'd', 'spec.imageDigestMirrors[0].mirrors[0]'],
      ['ImageTagMirrorSet', 't', 'spec.imageTagMirrors[0].mirrors[0]'],
    ]);
  });
});

describe('origins', () => {
  it('name object, field path, source and mirror of every mirror behind a host entry', () => {
    const config = merge([
      idms('d', [
        ['q.io', ['x.io']],
        ['q.io/a/b', ['y.io', 'm.io/b']],
      ]),
    ])[0]!;
    expect(config.hosts.find(({ key }) => key === 'm.io')!.origins).toEqual([
      {
        kind: 'ImageDigestMirrorSet',
        name: 'd',
        path: 'spec.imageDigestMirrors[1].mirrors[1]',
        source: reference('q.io/a/b'),
        mirror: reference('m.io/b'),
        exact: false,
      },
    ]);
  });
});

describe('order', () => {
  it('keeps that of every list, across objects', () => {
    const sets = [
      idms('one', [['q.io', ['a.io', 'b.io', 'c.io']]]),
      itms('two', [['q.io/x', ['c.io/x', 'd.io/x', 'e.io/x']]]),
    ];
    expect(summaryOf(sets)['q.io']!.map((text) => text[0])).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('in circles is reported and settled the same way every time', () => {
    const sets = [idms('one', [['q.io', ['b.io', 'a.io']]]), idms('two', [['q.io', ['a.io', 'b.io']]])];
    const [config] = merge(sets);
    expect(config!.orderConflicts).toEqual([['b.io', 'a.io']]);
    expect(config!.hosts.map(({ key }) => key)).toEqual(['b.io', 'a.io']);
    expect(merge(sets.toReversed())).toEqual([config]);
  });
});

describe('NeverContactSource', () => {
  const never = idms('a', [['q.io/a', ['m.io/a'], 'NeverContactSource']]);
  const allow = idms('b', [['q.io/b', ['m.io/b'], 'AllowContactingSource']]);
  const absent = itms('c', [['q.io/c', ['m.io/c']]]);

  it.each([
    ['before', [never, allow, absent]],
    ['between', [absent, never, allow]],
    ['after', [allow, absent, never]],
  ])('wins over the others when it is given %s them', (_, sets) => {
    expect(merge(sets)[0]!.neverContact).toBe(true);
  });

  it.each([
    [
      'first',
      [
        ['q.io/a', ['m.io/a'], 'NeverContactSource'],
        ['q.io/b', ['m.io/b']],
      ] as const,
    ],
    [
      'last',
      [
        ['q.io/b', ['m.io/b']],
        ['q.io/a', ['m.io/a'], 'NeverContactSource'],
      ] as const,
    ],
  ])('wins within one object as its %s entry', (_, entries) => {
    expect(merge([idms('one', entries)])[0]!.neverContact).toBe(true);
  });

  it('does not reach other registries, nor the same host on a port', () => {
    const sets = [
      never,
      idms('z', [
        ['q.io:443/a', ['m.io/a']],
        ['r.io', ['m.io']],
      ]),
    ];
    expect(summaryOf(sets)).toEqual({ 'q.io': ['m.io', 'never'], 'q.io:443': ['m.io'], 'r.io': ['m.io'] });
  });

  it('drops host entries that are the source itself, under either name of Docker Hub', () => {
    expect(
      summaryOf([
        idms('q', [['q.io/a', ['Q.io/a', 'm.io/a'], 'NeverContactSource']]),
        idms('d', [['docker.io', ['registry-1.docker.io', 'm.io'], 'NeverContactSource']]),
        idms('r', [['registry-1.docker.io', ['docker.io', 'm.io'], 'NeverContactSource']]),
        idms('s', [['s.io/a/b', ['s.io/b'], 'NeverContactSource']]),
      ]),
    ).toEqual({
      'docker.io': ['m.io', 'never'],
      'q.io': ['m.io', 'never'],
      'registry-1.docker.io': ['m.io', 'never'],
      's.io': ['never'],
    });
  });

  it('keeps another path of the source registry as mirror', () => {
    expect(summaryOf([idms('q', [['q.io/a', ['q.io/copy/a'], 'NeverContactSource']])])).toEqual({
      'q.io': ['q.io/copy', 'never'],
    });
  });
});

describe('entries that contribute nothing, their policy included', () => {
  it.each<[string, MirrorSet]>([
    ['no mirrors', idms('x', [['q.io', undefined, 'NeverContactSource']])],
    ['an empty list of mirrors', idms('x', [['q.io', [], 'NeverContactSource']])],
    ['only their own source as mirror', idms('x', [['q.io/a', ['Q.io/a'], 'NeverContactSource']])],
    ['only mirrors that are no references', idms('x', [['q.io', ['https://m.io'], 'NeverContactSource']])],
    ['a source that is no reference', idms('x', [['q.io/A', ['m.io'], 'NeverContactSource']])],
    ['a wildcard source', idms('x', [['*.q.io', ['m.io'], 'NeverContactSource']])],
    [
      'the label for Linux',
      idms('x', [['q.io', ['m.io'], 'NeverContactSource']], { 'mirrorgate.dev/os': 'linux' }),
    ],
  ])('%s', (_, set) => {
    expect(merge([set])).toEqual([]);
    const other = itms('y', [['q.io/a', ['n.io/a']]]);
    expect(merge([set, other])).toEqual(merge([other]));
  });

  it('a source below one listed as Linux-only, but not one beside or above it', () => {
    const set = idms('x', [
      ['quay.io/openshift-release-dev/ocp-release', ['a.io/openshift/release-images'], 'NeverContactSource'],
      ['quay.io/openshift-release-dev', ['b.io']],
      ['quay.io/openshift-release-developers/x', ['c.io/x']],
      ['quay.io', ['d.io']],
    ]);
    const linuxOnlySources = [reference('quay.io/openshift-release-dev')];
    expect(summaryOf([set], { linuxOnlySources })).toEqual({ 'quay.io': ['c.io', 'd.io'] });
  });

  it('a label of another value does not', () => {
    expect(summaryOf([idms('x', [['q.io', ['m.io']]], { 'mirrorgate.dev/os': 'windows' })])).toEqual({
      'q.io': ['m.io'],
    });
  });
});

describe('naming', () => {
  const set = idms('x', [['q.io/a/b', ['m.io/x/b', 'n.io/y/a/b', 'o.io']]]);

  it('shortens a mirror that breaks the rule by the longest common suffix', () => {
    expect(summaryOf([set])).toEqual({ 'q.io': ['m.io/x', 'n.io/y', 'o.io'] });
  });

  it('omit leaves such mirrors out, without widening the fallback', () => {
    expect(summaryOf([set], { naming: 'omit' })).toEqual({ 'q.io': ['n.io/y'] });
    expect(
      summaryOf([idms('x', [['q.io/a/b', ['m.io/c'], 'NeverContactSource']])], { naming: 'omit' }),
    ).toEqual({ 'q.io': ['never'] });
  });
});

describe('host entry keys', () => {
  it('are one for docker.io and its API host', () => {
    expect(summaryOf([idms('x', [['q.io', ['docker.io/org', 'registry-1.docker.io/org']]])])).toEqual({
      'q.io': ['registry-1.docker.io/org'],
    });
  });

  it('fold hosts and tell ports apart', () => {
    expect(summaryOf([idms('x', [['Q.io', ['M.io', 'm.io', 'm.io:443']]])])).toEqual({
      'q.io': ['m.io', 'm.io:443'],
    });
  });

  it('keep the registry under its own name as location', () => {
    const { key, location } = hostEntryLocation(reference('q.io/a'), reference('docker.io/x/a'));
    expect(key).toBe('registry-1.docker.io/x');
    expect(location).toEqual(reference('docker.io/x'));
  });
});

describe('any mirror sets', () => {
  it('give the same view in any order, sorted by registry, each key once', () => {
    fc.assert(
      fc.property(
        clusters.chain((sets) =>
          fc.tuple(fc.constant(sets), fc.shuffledSubarray(sets, { minLength: sets.length })),
        ),
        fc.constantFrom('shorten' as const, 'omit' as const),
        ([sets, shuffled], naming) => {
          const view = merge(sets, { naming });
          expect(merge(shuffled, { naming })).toEqual(view);

          const names = view.map(registryName);
          expect(names).toEqual([...new Set(names)].sort());
          for (const config of view) {
            const keys = config.hosts.map(({ key }) => key);
            expect(keys).toEqual([...new Set(keys)]);
            for (const { origins } of config.hosts) expect(origins.length).toBeGreaterThan(0);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('never have the source itself as host entry where it must not be contacted', () => {
    fc.assert(
      fc.property(clusters, (sets) => {
        for (const config of merge(sets)) {
          if (!config.neverContact) continue;
          expect(config.hosts.map(({ key }) => key)).not.toContain(apiRegistryOf(config.registry));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('may hold 10,000 entries for one registry', () => {
    const sets = Array.from({ length: 100 }, (_, set) =>
      idms(
        `set${set}`,
        Array.from(
          { length: 100 },
          (__, at) => [`q.io/i${set}-${at}`, [`m.io/p${set}/i${set}-${at}`, 'n.io']] as const,
        ),
      ),
    );
    expect(merge(sets)[0]!.hosts).toHaveLength(101);
  });
});
