/** What the pull plan says is what containerd does, request by request, in every version and over all hosts. */
import { inspect, isDeepStrictEqual } from 'node:util';
import PQueue from 'p-queue';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toManifest } from '../../src/mirrors/mirror-set-manifest.js';
import { formatTagAndDigest } from '../../src/mirrors/image-reference.js';
import { indexMirrorSets } from '../../src/mirrors/mirror-set-index.js';
import { windowsPullPlan } from '../../src/mirrors/pull-plan.js';
import { formatReference } from '../../src/mirrors/reference.js';
import { findContainerdVersions } from './containerd-versions.js';
import { generatedCases } from './generated-cases.js';
import { coveredExamples, exampleFiles, namedCases } from './named-cases.js';
import { contactedIn, behaviourOf, predictPull, traceOf, type PullTrace } from './predict-pull.js';
import type { PullCase } from './pull-case.js';
import { PullSite, renderedFiles, type ObservedPull } from './pull-site.js';
import { chosenSeed } from './seeded-random.js';

const generatedCount = 200;
const concurrency = 4;

const seed = chosenSeed();
process.stderr.write(`pull plan: ${generatedCount} generated cases, MIRRORGATE_SEED=${seed}\n`);

const versions = await findContainerdVersions();
const named = namedCases();
const generated = generatedCases(seed, generatedCount);

let site: PullSite;
beforeAll(async () => {
  site = await PullSite.start(versions.found);
});
afterAll(() => site.stop());

function predicted(pullCase: PullCase, series: string): PullTrace {
  const plan = windowsPullPlan(indexMirrorSets(pullCase.sets), pullCase.image, pullCase.view);
  return predictPull(pullCase, plan, behaviourOf(series));
}

/** The repository that the image's first manifest came from. */
function servedBy({ seen }: ObservedPull): string | undefined {
  for (const one of seen) {
    if (one.kind !== 'request' || one.method !== 'GET' || one.status !== 200) continue;
    const path = /^\/v2\/(.*)\/manifests\//.exec(one.target)?.[1];
    if (path !== undefined) return `${one.at.replace('https://', '').replace(/:443$/, '')}/${path}`;
  }
  return undefined;
}

it('has a case for every example', () => {
  expect(coveredExamples).toEqual(exampleFiles);
});

for (const { suite, reason } of versions.missing) {
  it.todo(`NOT TESTED: the containerd of Debian ${suite} could not be fetched: ${reason}`);
}

describe.each(versions.found)('containerd $version', (programs) => {
  it.concurrent.each(named.map((one) => [one.pullCase.name, one] as const))('%s', async (_name, one) => {
    const observed = await site.pull(one.pullCase, programs);
    expect(traceOf(observed.succeeded, observed.seen)).toEqual(predicted(one.pullCase, programs.series));
    expect({ contacts: contactedIn(observed.seen), servedBy: servedBy(observed) }).toEqual({
      contacts: one.contacts,
      servedBy: one.servedBy,
    });
    expect(observed.succeeded).toBe(one.servedBy !== undefined);
  });

  it(`does what the plan says in ${generatedCount} generated cases (MIRRORGATE_SEED=${seed})`, async () => {
    const queue = new PQueue({ concurrency });
    const outcomes = await queue.addAll(
      generated.map((pullCase) => async () => {
        const observed = await site.pull(pullCase, programs);
        const actual = traceOf(observed.succeeded, observed.seen);
        const expected = predicted(pullCase, programs.series);
        const isSame = isDeepStrictEqual(actual, expected);
        return isSame ? [] : [mismatch(pullCase, expected, actual, observed.output)];
      }),
    );
    expect(outcomes).toHaveLength(generatedCount);
    expect(outcomes.flat().slice(0, 3).join('\n')).toBe('');
  });
});

it('is told by the access logs of the registries as it was seen before them', async () => {
  // A registry writes its log when an answer is complete, which is a little after the puller has it.
  await expect
    .poll(async () =>
      (await site.accessLogs()).map(({ logged, forwarded }) => logged.length - forwarded.length),
    )
    .toEqual(site.registries.map(() => 0));
  for (const { forwarded, logged } of await site.accessLogs()) {
    expect(forwarded.length).toBeGreaterThan(0);
    expect(logged).toEqual(forwarded);
  }
});

/** All that is needed to see why a generated case came out differently. */
function mismatch(pullCase: PullCase, expected: PullTrace, actual: PullTrace, output: string): string {
  const { name, sets, image, holdings, ...rest } = pullCase;
  return inspect(
    {
      name,
      seed,
      sets: sets.map(toManifest),
      image: formatReference(image.repository) + formatTagAndDigest(image),
      holdings: holdings.map(
        (holding) =>
          `${formatReference(holding.repository)}:${holding.tag ?? ''}@${holding.image.root.digest}`,
      ),
      ...rest,
      files: renderedFiles(pullCase),
      expected,
      actual,
      output,
    },
    { depth: 8, maxStringLength: 2_000, breakLength: 140 },
  );
}
