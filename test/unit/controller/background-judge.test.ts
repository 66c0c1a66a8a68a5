import { describe, expect, it, vi } from 'vitest';
import { BackgroundJudge } from '../../../src/controller/background-judge.js';
import type { ExistingVerdict } from '../../../src/controller/judge-existing.js';
import { noInsecureRegistries } from '../../../src/mirrors/insecure-registries.js';
import { defaultPolicy } from '../../../src/policy/policy.js';
import { idms, itms } from '../mirror-sets.js';

const context = { policy: defaultPolicy(), insecure: noInsecureRegistries, now: new Date('2027-01-15') };
const sound = idms('a', [['quay.io/org/image', ['mirror.local/org/image']]]);
const misnamed = idms('b', [['quay.io/org/image', ['mirror.local/other']]]);
const byTag = itms('c', [['quay.io/org/image', ['mirror.local/org/image']]]);

function makeJudge(options: { pause?: () => Promise<void>; now?: () => number } = {}) {
  const judged: (readonly ExistingVerdict[])[] = [];
  const faults: unknown[] = [];
  const judge = new BackgroundJudge({
    onJudged: (verdicts) => judged.push(verdicts),
    onFault: (error) => faults.push(error),
    ...options,
  });
  return { judge, judged, faults };
}

describe('BackgroundJudge', () => {
  it('judges every set as the policy says, without what is only about a change', async () => {
    const { judge, judged } = makeJudge();
    judge.judge([byTag, misnamed, sound], context);
    await vi.waitFor(() => {
      expect(judged).toHaveLength(1);
    });
    const rules = judged[0]!.map(({ set, judgement }) => [
      set.name,
      judgement.allowed,
      judgement.findings.filter(({ action }) => action !== 'audit').map(({ rule }) => rule),
    ]);
    expect(rules).toEqual([
      ['a', true, []],
      ['b', false, ['windows-mirror-path']],
      ['c', true, ['itms-widened-on-windows']],
    ]);
  });

  it('lets others have their turn, and gives up what is no longer of interest', async () => {
    let time = 0;
    const turns: (() => void)[] = [];
    const { judge, judged } = makeJudge({
      now: () => (time += 20),
      pause: () => new Promise((resolve) => turns.push(resolve)),
    });
    judge.judge([sound, misnamed], context);
    await vi.waitFor(() => {
      expect(turns).toHaveLength(1);
    });
    judge.judge([sound], context);
    turns[0]!();
    await vi.waitFor(() => {
      expect(turns).toHaveLength(2);
    });
    turns[1]!();
    await vi.waitFor(() => {
      expect(judged).toHaveLength(1);
    });
    expect(judged[0]!.map(({ set }) => set.name)).toEqual(['a']);
  });

  it('tells nothing after it was stopped', async () => {
    const turns: (() => void)[] = [];
    let time = 0;
    const { judge, judged } = makeJudge({
      now: () => (time += 20),
      pause: () => new Promise((resolve) => turns.push(resolve)),
    });
    judge.judge([sound], context);
    await vi.waitFor(() => {
      expect(turns).toHaveLength(1);
    });
    const stopped = judge.stop();
    turns[0]!();
    await stopped;
    expect(judged).toEqual([]);
  });

  it('reports a fault and judges on', async () => {
    const { judge, judged, faults } = makeJudge();
    const broken = { ...context, policy: undefined as unknown as typeof context.policy };
    judge.judge([sound], broken);
    judge.judge([sound], context);
    await judge.stop();
    judge.judge([sound], broken);
    await vi.waitFor(() => {
      expect(faults).toHaveLength(1);
    });
    judge.judge([sound], context);
    await vi.waitFor(() => {
      expect(judged).toHaveLength(1);
    });
  });
});
