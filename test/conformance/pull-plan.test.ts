/** What the pull plan says is what containerd does, request by request, in every version and over all hosts. */
import { inspect, isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { indexMirrorSets } from '../../src/mirrors/mirror-set-index.js';
import { windowsPullPlan } from '../../src/mirrors/pull-plan.js';
import { findContainerdVersions } from './containerd-versions.js';
import { coveredExamples, exampleFiles, namedCases } from './named-cases.js';
import { contactedIn, insecureMeaning, predictPull, traceOf, type PullTrace } from './predict-pull.js';
import type { PullCase } from './pull-case.js';
import { PullSite, type ObservedPull } from './pull-site.js';

const versions = await findContainerdVersions();
const named = namedCases();

let site: PullSite;
beforeAll(async () => {
  site = await PullSite.start(versions.found);
});
afterAll(() => site.stop());

function predicted(pullCase: PullCase, series: string): PullTrace {
  const plan = windowsPullPlan(indexMirrorSets(pullCase.sets), pullCase.image, pullCase.view);
  return predictPull(pullCase, plan, insecureMeaning(series));
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
});
