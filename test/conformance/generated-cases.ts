/**
 * Pulls by the seed: mirror sets that meet in few hosts and path segments, an image below one of their sources, and a
 * world in which each registry that either system would ask holds the image, another one under its tag, or nothing, and
 * is well, down, or in trouble.
 */
import fc from 'fast-check';
import type { ImageReference } from '../../src/mirrors/image-reference.js';
import { indexMirrorSets } from '../../src/mirrors/mirror-set-index.js';
import { validEntries, type MirrorSet } from '../../src/mirrors/mirror-set.js';
import { linuxPullPlan, windowsPullPlan } from '../../src/mirrors/pull-plan.js';
import { formatReference, registryOf, type Reference } from '../../src/mirrors/reference.js';
import { hasRealMirror, type ViewOptions } from '../../src/mirrors/registry-view.js';
import { clusters, mirrors, remainders, sources } from '../unit/arbitraries.js';
import { addressOf, type Holding, type PullCase } from './pull-case.js';
import type { Listener } from './registry-front.js';
import { tinyImage } from './tiny-image.js';

/** The cases of a seed: the same ones each time, with images and tags that no other case has. */
export function generatedCases(seed: number, count: number): PullCase[] {
  return fc.sample(drawings, { seed, numRuns: count }).map(toCase);
}

const views: fc.Arbitrary<ViewOptions> = fc.record({
  naming: fc.constantFrom('shorten' as const, 'shorten' as const, 'omit' as const),
  linuxOnlySources: fc
    .option(sources, { freq: 4, nil: undefined })
    .map((source) => (source === undefined ? [] : [source])),
});

/** What a registry, found by its place in a list, does and holds. */
const states = fc.record({
  holds: fc.constantFrom('nothing', 'nothing', 'image', 'image', 'image', 'other'),
  is: fc.oneof(
    { weight: 7, arbitrary: fc.constant('well' as const) },
    { weight: 3, arbitrary: fc.constantFrom('down', 'ill', 'private', 'unreadable') },
  ),
  authSegments: fc.option(fc.nat({ max: 2 }), { freq: 2, nil: undefined }),
  insecure: fc.integer({ min: 0, max: 9 }).map((roll) => roll === 0),
});

const drawings = fc.record({
  sets: clusters.filter((sets) => mirroredSources(sets).length > 0),
  /** Which of the sources the image is below, or a source of its own. */
  below: fc.option(fc.nat(), { freq: 9, nil: undefined }),
  stranger: sources,
  remainder: remainders,
  by: fc.constantFrom('tag', 'tag', 'digest', 'digest', 'tag and digest'),
  view: views,
  shape: fc.record({ layers: fc.constantFrom(0 as const, 1 as const), index: fc.boolean() }),
  states: fc.array(states, { minLength: 12, maxLength: 12 }),
  /** A repository that nothing leads to. */
  unrelated: mirrors,
});

type Drawing = typeof drawings extends fc.Arbitrary<infer Value> ? Value : never;

function toCase(drawing: Drawing, index: number): PullCase {
  const { sets, view, shape } = drawing;
  const tag = `generated-${index}`;
  const image = tinyImage(tag, shape);
  const asked: ImageReference = {
    repository: imageRepository(drawing),
    tag: drawing.by === 'digest' ? undefined : tag,
    digest: drawing.by === 'tag' ? undefined : image.root.digest,
  };
  const repositories = repositoriesOf(sets, asked, view, drawing.unrelated);
  const stateOf = (at: number) => drawing.states[at % drawing.states.length] ?? drawing.states[0]!;

  const holdings = repositories.flatMap((repository, at): Holding[] => {
    const { holds } = stateOf(at);
    if (holds === 'nothing') return [];
    // A registry of its own mind: the tag stands for something else there.
    const content = holds === 'image' ? image : tinyImage(`${tag} at ${formatReference(repository)}`, shape);
    return [{ repository, image: content, tag }];
  });

  const auths: Record<string, string> = {};
  const listeners: Record<string, Listener> = {};
  const insecureRegistries: string[] = [];
  for (const [at, repository] of distinctRegistries(repositories).entries()) {
    const { is, authSegments, insecure } = stateOf(at + 5);
    const registry = registryOf(repository);
    if (authSegments !== undefined) {
      const key = [registry, ...repository.path.slice(0, authSegments)].join('/');
      auths[key] = `${registry.replace(':', '-')}:secret-${at}`;
    }
    if (insecure) insecureRegistries.push(registry);
    const { host, port, explicit } = addressOf(repository);
    listeners[`${host}:${port}`] = listener(is, insecure, explicit, auths[registry]);
  }
  return {
    name: `generated case ${index}`,
    sets,
    image: asked,
    view,
    auths,
    insecureRegistries,
    holdings,
    listeners,
  };
}

function listener(
  is: Drawing['states'][number]['is'],
  insecure: boolean,
  explicitPort: boolean,
  credential: string | undefined,
): Listener {
  switch (is) {
    case 'down':
      return { speaks: 'closed' };
    case 'ill':
      return { speaks: 'tls', status: 500 };
    case 'private':
      return {
        speaks: 'tls',
        authorization: `Basic ${Buffer.from(credential ?? 'nobody:knows').toString('base64')}`,
      };
    case 'unreadable':
      return { speaks: 'untrusted' };
    default:
      // Plain HTTP where it is allowed and a port says where. Without a port a closed 443 leads to port 80, but only when
      // the puller itself is refused, and not its proxy: insecure-registries.test.ts has that case.
      return { speaks: insecure && explicitPort ? 'http' : 'tls' };
  }
}

function imageRepository({ sets, below, stranger, remainder }: Drawing): Reference {
  const mirrored = mirroredSources(sets);
  const source = (below === undefined ? undefined : mirrored[below % mirrored.length]) ?? stranger;
  // The source itself, where it is a repository, in half of the cases.
  const itself = source.path.length > 0 && remainder.length === 1;
  return { ...source, path: itself ? source.path : [...source.path, ...remainder] };
}

function mirroredSources(sets: readonly MirrorSet[]): Reference[] {
  return sets
    .flatMap(validEntries)
    .filter((entry) => !entry.source.wildcard && hasRealMirror(entry))
    .map(({ source }) => source);
}

/** Every repository that a node of either system could ask, and one that none does. */
function repositoriesOf(
  sets: readonly MirrorSet[],
  image: ImageReference,
  view: ViewOptions,
  unrelated: Reference,
): Reference[] {
  const index = indexMirrorSets(sets);
  const endpoints = [
    ...windowsPullPlan(index, image, view).endpoints,
    ...linuxPullPlan(index, image).endpoints,
  ];
  const elsewhere = { ...unrelated, path: [...unrelated.path, 'unrelated'] };
  const all = [...endpoints.map(({ repository }) => repository), image.repository, elsewhere]
    // A whole registry put in the place of an image's very name is no repository: nothing can be held there.
    .filter(({ path }) => path.length > 0);
  return [...new Map(all.map((repository) => [formatReference(repository), repository])).values()];
}

function distinctRegistries(repositories: readonly Reference[]): Reference[] {
  const named = repositories.map((repository) => {
    const { host, port } = addressOf(repository);
    return [`${host}:${port}`, repository] as const;
  });
  return [...new Map(named).values()];
}
