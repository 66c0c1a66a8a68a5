import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseImage, type ImageReference } from '../../../src/mirrors/image-reference.js';
import { indexMirrorSets } from '../../../src/mirrors/mirror-set-index.js';
import type { MirrorSet } from '../../../src/mirrors/mirror-set.js';
import { apiRegistryOf } from '../../../src/mirrors/naming.js';
import { linuxPullPlan, windowsPullPlan, type PullPlan } from '../../../src/mirrors/pull-plan.js';
import { formatReference, pathOf, registryOf, type Reference } from '../../../src/mirrors/reference.js';
import { mergeRegistries, registryName, type ViewOptions } from '../../../src/mirrors/registry-view.js';
import { clusters, images } from '../arbitraries.js';
import { idms, itms } from '../mirror-sets.js';

const digest = `@sha256:${'0'.repeat(64)}`;
const options: ViewOptions = { naming: 'shorten', linuxOnlySources: [] };

function image(text: string): ImageReference {
  const parsed = parseImage(text);
  if (!parsed.ok) throw new Error(parsed.fault);
  return parsed.image;
}

/** One line per endpoint: repository, role, what it may do. */
function linesOf(plan: PullPlan): string[] {
  return plan.endpoints.map(
    ({ repository, role, resolve, pull }) =>
      `${formatReference(repository)} ${role}${resolve ? ' resolve' : ''}${pull ? ' pull' : ''}`,
  );
}

function windows(sets: readonly MirrorSet[], text: string, given: Partial<ViewOptions> = {}): string[] {
  return linesOf(windowsPullPlan(indexMirrorSets(sets), image(text), { ...options, ...given }));
}

function linux(sets: readonly MirrorSet[], text: string): string[] {
  return linesOf(linuxPullPlan(indexMirrorSets(sets), image(text)));
}

describe('a Windows node', () => {
  const sets = [
    idms('d', [['q.io/org/image', ['d.io/copy/org/image']]]),
    itms('t', [['q.io/other', ['t.io/x/other']]]),
  ];

  it('asks every host entry of the registry for the whole repository path, then the source', () => {
    const expected = [
      'd.io/copy/org/image mirror pull',
      't.io/x/org/image mirror resolve pull',
      'q.io/org/image source resolve pull',
    ];
    expect(windows(sets, 'q.io/org/image:1')).toEqual(expected);
    expect(windows(sets, `q.io/org/image${digest}`)).toEqual(expected);
  });

  it('goes to the source alone for a registry without mirrors', () => {
    expect(windows(sets, 'r.io/a')).toEqual(['r.io/a source resolve pull']);
    expect(windows([idms('w', [['*.io', ['m.io'], 'NeverContactSource']])], 'q.io/a')).toEqual([
      'q.io/a source resolve pull',
    ]);
  });

  it('has its first host entry once more in the place of a forbidden source', () => {
    const never = [idms('d', [['q.io/a', ['m.io/x/a', 'n.io/a'], 'NeverContactSource']])];
    expect(windows(never, 'q.io/unrelated')).toEqual([
      'm.io/x/unrelated mirror pull',
      'n.io/unrelated mirror pull',
      'm.io/x/unrelated fallback pull',
    ]);
    expect(windowsPullPlan(indexMirrorSets(never), image('q.io/b'), options).sourceBlocked).toBe(true);
  });

  it('has nowhere to go when the source is forbidden and no mirror is left', () => {
    const never = [idms('d', [['q.io/a', ['m.io/b'], 'NeverContactSource']])];
    expect(windows(never, 'q.io/a', { naming: 'omit' })).toEqual([]);
  });

  it('goes to the source alone, forbidden or not, when Windows cannot have the directory of its registry', () => {
    const never = [idms('d', [['aux.example.com', ['m.io'], 'NeverContactSource']])];
    expect(windows(never, 'aux.example.com/a')).toEqual(['aux.example.com/a source resolve pull']);
    expect(windowsPullPlan(indexMirrorSets(never), image('aux.example.com/a'), options).sourceBlocked).toBe(
      false,
    );
  });

  it('asks Docker Hub under its name, mirrors by the repository path with library', () => {
    expect(windows([idms('h', [['docker.io', ['harbor.local/docker.io']]])], 'nginx')).toEqual([
      'harbor.local/docker.io/library/nginx mirror pull',
      'docker.io/library/nginx source resolve pull',
    ]);
  });

  it('knows what each author asked for, and which entries only come in by the registry-wide effect', () => {
    const plan = windowsPullPlan(
      indexMirrorSets([
        idms('a', [['q.io/org/image', ['m.io/p/image']]]),
        idms('b', [['q.io/zzz', ['m.io/p/zzz']]]),
        idms('c', [['q.io', ['m.io/p']]]),
      ]),
      image('q.io/org/image/sub:1'),
      options,
    );
    expect(
      plan.endpoints[0]!.origins.map(({ name, path, declared }) => [
        name,
        path,
        declared && formatReference(declared),
      ]),
    ).toEqual([
      ['a', 'spec.imageDigestMirrors[0].mirrors[0]', 'm.io/p/image/sub'],
      ['b', 'spec.imageDigestMirrors[0].mirrors[0]', undefined],
      ['c', 'spec.imageDigestMirrors[0].mirrors[0]', 'm.io/p/org/image/sub'],
    ]);
  });
});

describe('a Linux node', () => {
  const sets = [
    idms('d', [
      ['q.io', ['whole.io']],
      ['q.io/org', ['d.io/renamed']],
    ]),
    itms('t', [['q.io/org', ['t.io/tags', 'u.io']]]),
  ];

  it('replaces the most specific source by its digest mirrors for a digest', () => {
    expect(linux(sets, `q.io/org/image${digest}`)).toEqual([
      'd.io/renamed/image mirror pull',
      'q.io/org/image source resolve pull',
    ]);
    // A digest decides even where there is a tag too.
    expect(linux(sets, `q.io/org/image:1${digest}`)).toEqual(linux(sets, `q.io/org/image${digest}`));
  });

  it('replaces it by its tag mirrors for a tag', () => {
    expect(linux(sets, 'q.io/org/image:1')).toEqual([
      't.io/tags/image mirror resolve pull',
      'u.io/image mirror resolve pull',
      'q.io/org/image source resolve pull',
    ]);
    expect(linux(sets, 'q.io/else')).toEqual(['q.io/else source resolve pull']);
  });

  it('uses no less specific source', () => {
    const narrow = [...sets, itms('u', [['q.io/org/image', ['only.io/tag']]])];
    expect(linux(narrow, `q.io/org/image${digest}`)).toEqual(['q.io/org/image source resolve pull']);
  });

  it('does not contact a blocked source, and nothing where it has no mirror of the right kind', () => {
    const blocked = [idms('d', [['q.io/a', ['m.io/b'], 'NeverContactSource']])];
    expect(linux(blocked, `q.io/a/x${digest}`)).toEqual(['m.io/b/x mirror pull']);
    expect(linux(blocked, 'q.io/a/x:1')).toEqual([]);
    expect(linux(blocked, 'q.io/b:1')).toEqual(['q.io/b source resolve pull']);
    expect(linuxPullPlan(indexMirrorSets(blocked), image('q.io/a:1')).sourceBlocked).toBe(true);
  });

  it('follows a wildcard source, with the whole path behind the mirror', () => {
    const wildcard = [idms('w', [['*.redhat.io', ['m.io/rh'], 'NeverContactSource']])];
    expect(linux(wildcard, `registry.redhat.io/ubi9/ubi${digest}`)).toEqual(['m.io/rh/ubi9/ubi mirror pull']);
  });
});

describe('any mirror sets and image', () => {
  it('give a Windows plan that says what the registry view does', () => {
    fc.assert(
      fc.property(clusters, images, (sets, asked) => {
        const plan = windowsPullPlan(indexMirrorSets(sets), asked, options);
        const config = mergeRegistries(sets, options).find(
          (candidate) => registryName(candidate) === registryOf(asked.repository),
        );
        const mirrors = plan.endpoints.filter(({ role }) => role === 'mirror');
        expect(mirrors.map(({ repository, resolve }) => [formatReference(repository), resolve])).toEqual(
          (config?.hosts ?? []).map(({ location, resolve }) => [
            formatReference({ ...location, path: [...location.path, ...asked.repository.path] }),
            resolve,
          ]),
        );
        expect(plan.endpoints.some(({ role }) => role === 'source')).toBe(!(config?.neverContact ?? false));
      }),
      { numRuns: 500 },
    );
  });

  it('never contact a forbidden source, on either system', () => {
    fc.assert(
      fc.property(clusters, images, (sets, asked) => {
        const index = indexMirrorSets(sets);
        const plan = windowsPullPlan(index, asked, options);
        if (plan.sourceBlocked) {
          const addressOf = (repository: Reference) =>
            [apiRegistryOf(repository), pathOf(repository)].join('/');
          const contacted = plan.endpoints.map(({ repository }) => addressOf(repository));
          expect(contacted).not.toContain(addressOf(asked.repository));
        }
        const linuxPlan = linuxPullPlan(index, asked);
        expect(linuxPlan.endpoints.some(({ role }) => role === 'source')).toBe(!linuxPlan.sourceBlocked);
      }),
      { numRuns: 500 },
    );
  });
});
