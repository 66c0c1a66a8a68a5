import { describe, expect, it } from 'vitest';
import { judgeExisting } from '../../../src/controller/judge-existing.js';
import { noInsecureRegistries } from '../../../src/mirrors/insecure-registries.js';
import type { MirrorSet } from '../../../src/mirrors/mirror-set.js';
import type { Exemption } from '../../../src/policy/exemption.js';
import { defaultPolicy, type MirrorPolicy } from '../../../src/policy/policy.js';
import { idms, itms } from '../mirror-sets.js';

const now = new Date('2027-01-15T12:00:00Z');

function judge(sets: readonly MirrorSet[], policy: Partial<MirrorPolicy> = {}) {
  return judgeExisting(sets, {
    policy: { ...defaultPolicy(policy.profile), ...policy },
    insecure: noInsecureRegistries,
    now,
  });
}

const misnamed = idms('misnamed', [['quay.io/org/image', ['mirror.local/other']]]);
const byTag = itms('by-tag', [['quay.io/org/image', ['mirror.local/org/image']]]);
const exemption = (match: Exemption['match']): Exemption => ({
  reason: 'migration',
  expires: new Date('2027-06-01T00:00:00Z'),
  match: { ...match, rules: ['windows-mirror-path'] },
});

describe('judgeExisting', () => {
  it('gives one verdict per set, by kind and name, whatever the order of the sets', () => {
    const verdicts = judge([byTag, misnamed]);
    expect(verdicts.map(({ set }) => set)).toEqual([misnamed, byTag]);
    expect(judge([misnamed, byTag])).toEqual(verdicts);
  });

  it('says what would be denied, with no allowance for having been there before', () => {
    const [verdict] = judge([misnamed]);
    expect(verdict!.judgement.allowed).toBe(false);
    expect(verdict!.judgement.findings).toMatchObject([
      { rule: 'windows-mirror-path', action: 'deny', path: 'spec.imageDigestMirrors[0].mirrors[0]' },
    ]);
  });

  it('leaves out what is only about a change: a set that stays drains no node', () => {
    const rules = judge([byTag], { profile: 'restricted' })[0]!.judgement.findings.map(({ rule }) => rule);
    expect(rules).toContain('digest-required');
    expect(rules).not.toContain('linux-nodes-drain');
  });

  it('holds each set against all others', () => {
    const allowing = idms('a', [['quay.io/org/image', ['m.local/org/image'], 'AllowContactingSource']]);
    const forbidding = idms('b', [['quay.io/org/image', ['m.local/org/image'], 'NeverContactSource']]);
    const verdicts = judge([allowing, forbidding]);
    for (const { judgement } of verdicts) {
      expect(judgement.findings.map(({ rule }) => rule)).toContain('source-policy-conflict');
    }
    expect(judge([allowing])[0]!.judgement.findings).toEqual([]);
  });

  it('blames an unreachable pause image on the one set that forbids its registry, and only warns when there are two', () => {
    const forbids = (name: string) =>
      idms(name, [['mcr.microsoft.com/org/image', ['m.local/org/image'], 'NeverContactSource']]);
    const actions = (sets: readonly MirrorSet[]) =>
      judge(sets, { profile: 'restricted' }).map(
        ({ judgement }) =>
          judgement.findings.find(({ rule }) => rule === 'pause-image-unreachable')?.action ?? 'none',
      );
    expect(actions([forbids('a')])).toEqual(['deny']);
    expect(actions([forbids('a'), forbids('b')])).toEqual(['warn', 'warn']);
  });

  it('applies exemptions, but none that is bound to a user or group: nobody asks', () => {
    const exempted = judge([misnamed], { exemptions: [exemption({ names: ['mis*'] })] })[0]!.judgement;
    expect(exempted.findings).toEqual([]);
    expect(exempted.exempted).toMatchObject([{ finding: { rule: 'windows-mirror-path' } }]);
    for (const match of [{ users: ['admin'] }, { groups: ['admins'], names: ['mis*'] }]) {
      const { allowed } = judge([misnamed], { exemptions: [exemption(match)] })[0]!.judgement;
      expect(allowed, JSON.stringify(match)).toBe(false);
    }
  });

  it('looks at few entries of the other sets for each set, even where all are of one registry', () => {
    let looks = 0;
    const count = 400;
    const sets = Array.from({ length: count }, (_, at): MirrorSet => {
      const policy = at % 2 === 0 ? 'NeverContactSource' : 'AllowContactingSource';
      const mirrors = [`m.local/org/image-${at}`, `n.local/org/image-${at}`];
      const set = idms(`set-${at}`, [
        [`mcr.microsoft.com/org/image-${at}`, at % 2 === 0 ? mirrors : mirrors.toReversed(), policy],
      ]);
      return {
        ...set,
        get labels() {
          looks += 1;
          return set.labels;
        },
      };
    });
    judge(sets, { profile: 'restricted' });
    // Every look at whether an entry is for Linux alone reads the labels of its set.
    expect(looks).toBeLessThan(count * 40);
  });
});
