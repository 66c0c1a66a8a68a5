/**
 * The naming rule is the truth: a mirror is exact for a source if and only if a real pull of the source's image gets it
 * from exactly the declared mirror repository. For each pair the declared repository is the only place that holds it.
 */
import fc from 'fast-check';
import PQueue from 'p-queue';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alignMirror, apiRegistryOf } from '../../src/mirrors/naming.js';
import { formatReference, pathOf, type Reference } from '../../src/mirrors/reference.js';
import { mirrors, remainders, sources } from '../unit/arbitraries.js';
import { idms, itms } from '../unit/mirror-sets.js';
import { findContainerdVersions } from './containerd-versions.js';
import type { PullCase } from './pull-case.js';
import { PullSite, type ObservedPull } from './pull-site.js';
import { chosenSeed } from './seeded-random.js';
import { tinyImage } from './tiny-image.js';

const pairCount = 60;
const concurrency = 4;

const seed = chosenSeed();
process.stderr.write(`naming rule: ${pairCount} generated pairs, MIRRORGATE_SEED=${seed}\n`);

interface Pair {
  readonly source: Reference;
  readonly mirror: Reference;
  /** What stands behind the source's path in the image's name; not empty for a whole registry. */
  readonly remainder: readonly string[];
  readonly by: 'tag' | 'digest';
}

const pairs = fc.record({
  source: sources,
  mirror: mirrors,
  /** Half of the mirrors are put before the source's path: two random paths seldom end alike. */
  aligned: fc.boolean(),
  remainder: remainders,
  by: fc.constantFrom('tag' as const, 'digest' as const),
});

const versions = await findContainerdVersions();
const generated = fc
  .sample(pairs, { seed, numRuns: pairCount * 2 })
  .map(({ source, mirror, aligned, remainder, by }): Pair => {
    const path = aligned ? [...mirror.path, ...source.path] : mirror.path;
    return { source, mirror: { ...mirror, path }, remainder, by };
  })
  // A mirror that is the source itself is none; a repository without a path holds nothing.
  .filter(
    ({ source, mirror, remainder }) =>
      apiRegistryOf(source) + pathOf(source) !== apiRegistryOf(mirror) + pathOf(mirror) &&
      mirror.path.length + remainder.length > 0,
  )
  .slice(0, pairCount);
const cases = generated.map((pair, index) => ({ pair, pullCase: toCase(pair, index) }));

let site: PullSite;
beforeAll(async () => {
  site = await PullSite.start(versions.found);
});
afterAll(() => site.stop());

it('is asked about pairs of both kinds', () => {
  const exact = generated.filter(({ source, mirror }) => alignMirror(source, mirror).exact);
  expect(generated).toHaveLength(pairCount);
  expect(exact.length).toBeGreaterThan(3);
  expect(pairCount - exact.length).toBeGreaterThan(3);
});

describe.each(versions.found)('containerd $version', (programs) => {
  it(`gets the image from the declared mirror just when the rule says exact (MIRRORGATE_SEED=${seed})`, async () => {
    const queue = new PQueue({ concurrency });
    const outcomes = await queue.addAll(
      cases.map(({ pair, pullCase }) => async () => {
        const { source, mirror, by } = pair;
        const got = isServedBy(await site.pull(pullCase, programs), declared(pair));
        return { source: formatReference(source), mirror: formatReference(mirror), by, got };
      }),
    );
    expect(outcomes).toEqual(
      cases.map(({ pair: { source, mirror, by } }) => ({
        source: formatReference(source),
        mirror: formatReference(mirror),
        by,
        got: alignMirror(source, mirror).exact,
      })),
    );
  });
});

/** The repository that the author of the pair means, for the image that is pulled. */
function declared({ mirror, remainder }: Pair): Reference {
  return { ...mirror, path: [...mirror.path, ...remainder] };
}

function toCase(pair: Pair, index: number): PullCase {
  const { source, mirror, remainder, by } = pair;
  const tag = `pair-${index}`;
  const image = tinyImage(tag);
  const set = by === 'tag' ? itms : idms;
  return {
    name: tag,
    sets: [set('pair', [[formatReference(source), [formatReference(mirror)]]])],
    image: {
      repository: { ...source, path: [...source.path, ...remainder] },
      tag: by === 'tag' ? tag : undefined,
      digest: by === 'digest' ? image.root.digest : undefined,
    },
    view: { naming: 'shorten', linuxOnlySources: [] },
    auths: {},
    insecureRegistries: [],
    holdings: [{ repository: declared(pair), image, tag }],
    listeners: {},
  };
}

/** True when every part of the image came from the repository, and from there alone. */
function isServedBy({ succeeded, seen }: ObservedPull, repository: Reference): boolean {
  const registry = apiRegistryOf(repository);
  const at = `https://${registry}${/:\d+$/.test(registry) ? '' : ':443'}/v2/${pathOf(repository)}/`;
  const served = seen.flatMap((one) =>
    one.kind === 'request' && one.status === 200 ? [one.at + one.target] : [],
  );
  return succeeded && served.length > 0 && served.every((address) => address.startsWith(at));
}
