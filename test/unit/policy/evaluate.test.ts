import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { catalogue } from '../../../src/policy/catalogue.js';
import { noInsecureRegistries, parseInsecureRegistries } from '../../../src/mirrors/insecure-registries.js';
import { indexMirrorSets } from '../../../src/mirrors/mirror-set-index.js';
import { keyOf, type MirrorSet } from '../../../src/mirrors/mirror-set.js';
import { evaluate } from '../../../src/policy/evaluate.js';
import { compareActions, comparePaths, describeFinding, type Finding } from '../../../src/policy/finding.js';
import { defaultPolicy } from '../../../src/policy/policy.js';
import { profiles } from '../../../src/policy/profile.js';
import { clusters, mirrorSets } from '../arbitraries.js';
import { idms, itms } from '../mirror-sets.js';
import { judge, usualNow, type Circumstances } from './judge.js';
import {
  dockerMirror,
  linuxLabel,
  pauseByTag,
  releasePayload,
  remoteOrgImage,
  ubi9repo,
} from './usual-sets.js';

function summary(findings: readonly Finding[]): string[] {
  return findings.map(({ action, rule, path }) => `${action} ${rule} ${path}`);
}

/** One set, and its circumstances, that breaks each rule. */
const breaking: Record<string, { set: MirrorSet; circumstances?: Circumstances }> = {
  'invalid-reference': { set: idms('s', [['https://quay.io', ['m.local']]]) },
  'windows-mirror-path': { set: idms('s', [['quay.io/a/b', ['m.local/b']]]) },
  'windows-wildcard-source': { set: idms('s', [['*.quay.io', ['m.local']]]) },
  'itms-registry-wide': { set: dockerMirror },
  'itms-widened-on-windows': { set: itms('s', [['quay.io/a', ['m.local/a']]]) },
  'digest-required': { set: itms('s', [['quay.io/a', ['m.local/a']]]) },
  'never-contact-widened': { set: idms('s', [['quay.io/a', ['m.local/a'], 'NeverContactSource']]) },
  'source-policy-conflict': {
    set: idms('s', [
      ['quay.io/a', ['m.local/a'], 'NeverContactSource'],
      ['quay.io/a', ['n.local/a'], 'AllowContactingSource'],
    ]),
  },
  'never-contact-lists-source': {
    set: idms('s', [['quay.io', ['quay.io', 'm.local'], 'NeverContactSource']]),
  },
  'registry-policy-mixed': {
    set: idms('s', [
      ['quay.io/a', ['m.local/a'], 'NeverContactSource'],
      ['quay.io/b', ['m.local/b']],
    ]),
  },
  'policy-without-mirrors': { set: idms('s', [['quay.io', [], 'NeverContactSource']]) },
  'mirror-order-conflict': {
    set: idms('s', [
      ['quay.io/a', ['m.local/a', 'n.local/a']],
      ['quay.io/b', ['n.local/b', 'm.local/b']],
    ]),
  },
  'unmatchable-source': { set: idms('s', [['docker.io/nginx', ['m.local/nginx']]]) },
  'mirror-chain': {
    set: idms('s', [['quay.io/a', ['m.local/a']]]),
    circumstances: { others: [idms('t', [['m.local', ['n.local']]])] },
  },
  'pause-image-unreachable': {
    set: idms('s', [['mcr.microsoft.com', ['m.local'], 'NeverContactSource']]),
  },
  'windows-reserved-name': { set: idms('s', [['nul.local', ['m.local']]]) },
  'duplicate-mirror': { set: idms('s', [['quay.io/a', ['m.local/a', 'm.local/a']]]) },
  'linux-nodes-drain': { set: itms('s', [['quay.io/a', ['m.local/a']]]) },
  'insecure-mirror': {
    set: idms('s', [['quay.io/a', ['m.local/a']]]),
    circumstances: { insecureRegistries: ['m.local'] },
  },
};

describe('evaluate', () => {
  describe('actions', () => {
    it('has a breaking case for every rule', () => {
      expect(Object.keys(breaking).sort()).toStrictEqual(catalogue.map(({ id }) => id).sort());
    });

    const cases = catalogue.flatMap(({ id, actions }) =>
      profiles.map((profile) => ({ id, profile, action: actions[profile] })),
    );
    it.each(cases)('in profile $profile $id gives $action', ({ id, profile, action }) => {
      const { set, circumstances } = breaking[id]!;
      const found = judge(set, { ...circumstances, policy: { profile } });
      const own = found.findings.filter(({ rule }) => rule === id);
      expect(own.length).toBeGreaterThan(0);
      for (const finding of own) {
        expect(finding).toMatchObject({ action, kind: set.kind, name: set.name });
        expect(finding).not.toHaveProperty('lowered');
      }
      expect(found.allowed).toBe(found.findings.every((each) => each.action !== 'deny'));
      if (action === 'deny') expect(found.allowed).toBe(false);
    });

    it.each(catalogue.map(({ id }) => id))(
      'takes the action of %s from the policy before the profile',
      (id) => {
        const { set, circumstances } = breaking[id]!;
        const under = (action: 'deny' | 'warn' | 'audit' | 'off') =>
          judge(set, { ...circumstances, policy: { profile: 'restricted', rules: new Map([[id, action]]) } })
            .findings.filter(({ rule }) => rule === id)
            .map((finding) => finding.action);
        const { length } = under('deny');
        expect(length).toBeGreaterThan(0);
        for (const action of ['deny', 'warn', 'audit'] as const)
          expect(under(action)).toStrictEqual(Array<string>(length).fill(action));
        expect(under('off')).toStrictEqual([]);
      },
    );

    it('allows what nothing denies', () => {
      const set = itms('tag-mirror', [['quay.io/remote-org/image', ['mirror.local/remote-org/image']]]);
      expect(judge(set)).toMatchObject({ allowed: true, exempted: [], notices: [] });
      expect(judge(set, { policy: { profile: 'restricted' } }).allowed).toBe(false);
      expect(judge(set, { policy: { profile: 'audit' } }).findings.map(({ action }) => action)).toStrictEqual(
        ['audit', 'audit', 'audit'],
      );
    });
  });

  it('says of the documentation example what a person sees at oc create', () => {
    const { allowed, findings } = judge(remoteOrgImage);
    expect(allowed).toBe(false);
    expect(
      findings.map(
        (finding) => `${finding.action} ${finding.rule}: ${finding.path}: ${describeFinding(finding)}`,
      ),
    ).toStrictEqual([
      'warn itms-widened-on-windows: spec.imageTagMirrors[0]: on Windows every quay.io tag tries quay.io/my-org first; use an ImageDigestMirrorSet',
      'audit digest-required: spec.imageTagMirrors[0]: mirrors "quay.io/remote-org/image" by tag, and a tag can be moved to other content; use an ImageDigestMirrorSet and name its images by digest',
      'deny windows-mirror-path: spec.imageTagMirrors[0].mirrors[0]: "quay.io/my-org/image" does not end with "remote-org/image": a Windows node would pull quay.io/my-org/remote-org/image; use the mirror quay.io/my-org/remote-org/image and copy the image there',
      'warn linux-nodes-drain: spec.imageTagMirrors[0].mirrors[0]: adds the tag mirror quay.io/my-org/image: every Linux node is drained, one after another; use an ImageDigestMirrorSet, or choose a maintenance window',
    ]);
  });

  it.each(profiles)('never denies the sets that a disconnected cluster needs, in profile %s', (profile) => {
    expect(judge(releasePayload, { policy: { profile } })).toMatchObject({ allowed: true, findings: [] });
    expect(judge(pauseByTag, { policy: { profile } }).allowed).toBe(true);
  });

  it('gives findings in the order of their fields, then of the catalogue', () => {
    const set = itms(
      'long',
      Array.from({ length: 12 }, (_, at) => [`quay.io/org/image-${at}`, ['m.local/a', 'm.local/b']] as const),
    );
    const { findings } = judge(set);
    const order = catalogue.map(({ id }) => id);
    const sorted = findings.toSorted(
      (left, right) =>
        comparePaths(left.path, right.path) || order.indexOf(left.rule) - order.indexOf(right.rule),
    );
    expect(summary(findings)).toStrictEqual(summary(sorted));
    expect(new Set(findings.map(({ path }) => path)).size).toBeGreaterThan(24);
  });

  describe('ratcheting', () => {
    const broken = ['quay.io/a/b', ['m.local/b']] as const;
    const alsoBroken = ['quay.io/c/d', ['m.local/d']] as const;
    const old = idms('set', [broken]);

    it('lowers what the old object had, and denies what is new', () => {
      const { allowed, findings } = judge(idms('set', [broken, alsoBroken]), { old });
      expect(allowed).toBe(false);
      expect(findings).toMatchObject([
        { action: 'warn', lowered: true, path: 'spec.imageDigestMirrors[0].mirrors[0]' },
        { action: 'deny', path: 'spec.imageDigestMirrors[1].mirrors[0]' },
      ]);
      expect(findings[1]).not.toHaveProperty('lowered');
    });

    it('knows a finding again at another index', () => {
      const { allowed, findings } = judge(
        idms('set', [
          ['ghcr.io', ['x.local']],
          ['quay.io/a/b', ['m.local/a/b', 'm.local/b']],
        ]),
        { old },
      );
      expect(allowed).toBe(true);
      expect(findings.filter(({ rule }) => rule === 'windows-mirror-path')).toMatchObject([
        { action: 'warn', lowered: true, path: 'spec.imageDigestMirrors[1].mirrors[1]' },
      ]);
    });

    it('lets entries be put in another order', () => {
      const { allowed, findings } = judge(idms('set', [alsoBroken, broken]), {
        old: idms('set', [broken, alsoBroken]),
      });
      expect(allowed).toBe(true);
      expect(findings).toHaveLength(2);
    });

    it('denies a finding of the old object at another mirror or another source', () => {
      expect(judge(idms('set', [['quay.io/a/b', ['n.local/b']]]), { old }).allowed).toBe(false);
      expect(judge(idms('set', [['quay.io/x/b', ['m.local/b']]]), { old }).allowed).toBe(false);
    });

    it('does not take one rule for another', () => {
      const set = itms('set', [['quay.io', ['m.local']]]);
      const before = itms('set', [['quay.io/a/b', ['m.local/b']]]);
      expect(judge(set, { old: before }).allowed).toBe(false);
    });

    it('lowers what other sets caused before the update', () => {
      const conflicting = idms('set', [['quay.io/a', ['m.local/a']]]);
      const others = [itms('other', [['quay.io/a', ['n.local/a'], 'NeverContactSource']])];
      const set = idms('set', [['quay.io/a', ['m.local/a', 'o.local/a']]]);
      expect(judge(set, { old: conflicting, others }).allowed).toBe(true);
      expect(judge(set, { others }).allowed).toBe(false);
    });

    it('leaves warnings and records as they are', () => {
      const set = itms('set', [
        ['quay.io/a', ['m.local/a']],
        ['quay.io/z', ['m.local/z']],
      ]);
      const { findings } = judge(set, { old: itms('set', [['quay.io/a', ['m.local/a']]]) });
      const widened = findings.filter(({ rule }) => rule === 'itms-widened-on-windows');
      expect(widened.map(({ action }) => action)).toStrictEqual(['warn', 'warn']);
      for (const finding of findings) expect(finding).not.toHaveProperty('lowered');
    });

    it('never denies an update of metadata alone', () => {
      const set = { ...old, labels: { team: 'a' } };
      const { allowed, findings } = judge(set, { old });
      expect(allowed).toBe(true);
      expect(findings).toMatchObject([{ action: 'warn', lowered: true }]);
    });

    it('denies what appears when the Linux label is taken off, since the set then reaches Windows', () => {
      const { allowed, findings } = judge(old, { old: { ...old, labels: linuxLabel } });
      expect(allowed).toBe(false);
      expect(findings).toMatchObject([{ rule: 'windows-mirror-path', action: 'deny' }]);
    });

    it('lets a set that breaks Windows rules become Linux-only', () => {
      expect(judge({ ...old, labels: linuxLabel }, { old }).allowed).toBe(true);
    });

    it('denies what appears when the Linux label goes together with any other change', () => {
      const set = idms('set', [broken, ['ghcr.io', ['x.local']]]);
      expect(judge(set, { old: { ...old, labels: linuxLabel } }).allowed).toBe(false);
    });

    it('never denies an object that waits to be deleted', () => {
      const set = { ...idms('set', [broken, alsoBroken]), deleting: true };
      const { allowed, findings } = judge(set, { old });
      expect(allowed).toBe(true);
      expect(findings.map(({ action }) => action)).toStrictEqual(['warn', 'warn']);
    });

    it('does not lower a change because it was a change before', () => {
      const policy = { rules: new Map([['linux-nodes-drain', 'deny' as const]]) };
      const before = itms('set', [['quay.io/a', ['m.local/a']]]);
      const set = itms('set', [['quay.io/a', ['m.local/a', 'n.local/a']]]);
      expect(judge(before, { policy }).allowed).toBe(false);
      expect(judge(set, { old: before, policy }).allowed).toBe(false);
      expect(judge({ ...set, deleting: true }, { old: before, policy }).allowed).toBe(true);
    });

    it('does not hold for CREATE', () => {
      expect(judge(old).allowed).toBe(false);
      expect(judge({ ...old, deleting: true }).allowed).toBe(false);
    });
  });

  describe('exemptions', () => {
    const exemption = {
      reason: 'until the mirror is moved',
      expires: new Date('2027-04-01T00:00:00Z'),
      match: { names: ['tag-*'], rules: ['windows-mirror-path'] },
    };
    const exempting = { policy: { exemptions: [exemption] } };

    it('takes the finding out, and tells which exemption did', () => {
      const { allowed, findings, exempted, notices } = judge(remoteOrgImage, exempting);
      expect(allowed).toBe(true);
      expect(findings.map(({ rule }) => rule)).not.toContain('windows-mirror-path');
      expect(exempted).toHaveLength(1);
      expect(exempted[0]).toMatchObject({
        exemption,
        finding: { rule: 'windows-mirror-path', action: 'deny' },
      });
      expect(notices).toStrictEqual([]);
    });

    it.each([
      ['kind', { kinds: ['ImageDigestMirrorSet'] as const }],
      ['name', { names: ['other-*'] }],
      ['rule', { rules: ['digest-required'] }],
      ['user', { users: ['bob'] }],
      ['group', { groups: ['admins'] }],
    ])('does not hold for another %s', (_, match) => {
      const requester = { name: 'alice', groups: ['users'] };
      const policy = { exemptions: [{ ...exemption, match }] };
      const { allowed, findings } = judge(remoteOrgImage, { policy, requester });
      expect(allowed).toBe(false);
      expect(findings.map(({ rule }) => rule)).toContain('windows-mirror-path');
    });

    it('holds for every rule where it names none', () => {
      const policy = { exemptions: [{ ...exemption, match: { kinds: ['ImageTagMirrorSet'] as const } }] };
      const { findings, exempted } = judge(remoteOrgImage, { policy });
      expect(findings).toStrictEqual([]);
      expect(exempted).toHaveLength(4);
    });

    it('for a user or group holds where the requester is known, and nowhere else', () => {
      const policy = { exemptions: [{ ...exemption, match: { users: ['alice'], groups: ['platform'] } }] };
      const as = (name: string, groups: string[]) =>
        judge(remoteOrgImage, { policy, requester: { name, groups } }).allowed;
      expect(as('alice', [])).toBe(true);
      expect(as('bob', ['platform'])).toBe(true);
      expect(as('bob', ['others'])).toBe(false);
      expect(judge(remoteOrgImage, { policy }).allowed).toBe(false);
    });

    it.each([
      ['15 days ahead', '2027-03-17T00:00:00Z', true, []],
      ['one moment more than 14 days ahead', '2027-03-17T23:59:59.999Z', true, []],
      ['14 days ahead', '2027-03-18T00:00:00Z', true, ['ends']],
      ['on its last day', '2027-03-31T23:59:59.999Z', true, ['ends']],
      ['from its end on', '2027-04-01T00:00:00Z', false, ['ended']],
      ['a year later', '2028-04-01T00:00:00Z', false, ['ended']],
    ] as const)('%s', (_, now, holds, verbs) => {
      const { allowed, exempted, notices } = judge(remoteOrgImage, { ...exempting, now: new Date(now) });
      expect(allowed).toBe(holds);
      expect(exempted).toHaveLength(holds ? 1 : 0);
      expect(notices).toStrictEqual(
        verbs.map((verb) =>
          verb === 'ends'
            ? 'an exemption ends on 2027-03-31 (until the mirror is moved): from then on windows-mirror-path holds'
            : 'an exemption ended on 2027-03-31 (until the mirror is moved): windows-mirror-path holds again',
        ),
      );
    });

    it('says so once, however many findings it takes out', () => {
      const set = itms('tag-many', [
        ['quay.io/a/b', ['m.local/b', 'n.local/b']],
        ['quay.io/c/d', ['m.local/d']],
      ]);
      const { exempted, notices } = judge(set, { ...exempting, now: new Date('2027-03-31T00:00:00Z') });
      expect(exempted).toHaveLength(3);
      expect(notices).toHaveLength(1);
    });

    it('takes one that holds before one that has ended, without a word about that', () => {
      const ended = { ...exemption, reason: 'old', expires: new Date('2026-01-01T00:00:00Z') };
      const { allowed, exempted, notices } = judge(remoteOrgImage, {
        policy: { exemptions: [ended, exemption] },
      });
      expect(allowed).toBe(true);
      expect(exempted[0]?.exemption).toBe(exemption);
      expect(notices).toStrictEqual([]);
    });

    it('says nothing of an exemption that nothing needed', () => {
      const ended = { ...exemption, expires: new Date('2026-01-01T00:00:00Z') };
      const fine = itms('tag-fine', [['quay.io/a', ['m.local/a']]]);
      expect(judge(fine, { policy: { exemptions: [ended] } }).notices).toStrictEqual([]);
    });

    it('counts what ratcheting has lowered as it is', () => {
      const { exempted } = judge(
        { ...remoteOrgImage, labels: { a: 'b' } },
        {
          ...exempting,
          old: remoteOrgImage,
        },
      );
      expect(exempted).toMatchObject([{ finding: { action: 'warn', lowered: true } }]);
    });
  });

  describe('without the other mirror sets', () => {
    const notice = 'cluster-wide checks were skipped: the other mirror sets are not known yet';
    const everything = itms('all', [
      ['mcr.microsoft.com', ['m.local'], 'NeverContactSource'],
      ['quay.io/a/b', ['m.local/b']],
    ]);

    it('skips the rules that need them, and says so', () => {
      const { findings, notices } = judge(everything, { others: 'unknown' });
      const rules = new Set(findings.map(({ rule }) => rule));
      for (const { id, objectOnly } of catalogue) if (!objectOnly) expect(rules).not.toContain(id);
      expect(rules).toContain('windows-mirror-path');
      expect(notices).toStrictEqual([notice]);
    });

    it('judges what it knows all the same', () => {
      const conflict = idms('set', [
        ['quay.io/a', ['m.local/a'], 'NeverContactSource'],
        ['quay.io/a', ['n.local/a']],
      ]);
      expect(judge(conflict, { others: 'unknown' }).allowed).toBe(false);
    });

    it('says nothing of it once they are known, be there none', () => {
      expect(judge(everything).notices).toStrictEqual([]);
    });
  });

  describe('on DELETE', () => {
    it.each(Object.entries(breaking))(
      'does not judge the state of a set that breaks %s',
      (_, { set, circumstances }) => {
        const { findings } = judge(set, { ...circumstances, operation: 'DELETE' });
        expect(findings.filter(({ rule }) => rule !== 'linux-nodes-drain')).toStrictEqual([]);
      },
    );

    it('finds nothing but drains and a pause image that goes out of reach, in any cluster', () => {
      fc.assert(
        fc.property(clusters, mirrorSets, (others, set) => {
          const { findings } = judge(set, {
            others: others.filter((other) => keyOf(other) !== keyOf(set)),
            operation: 'DELETE',
            policy: { profile: 'restricted' },
          });
          const rules = findings.map(({ rule }) => rule);
          expect(
            rules.filter((rule) => rule !== 'linux-nodes-drain' && rule !== 'pause-image-unreachable'),
          ).toStrictEqual([]);
        }),
      );
    });
  });

  it('gives the same judgement in whatever order the other sets are known', () => {
    const inAnyOrder = clusters.chain((sets) =>
      fc.tuple(
        fc.constant(sets),
        fc.shuffledSubarray(sets, { minLength: sets.length, maxLength: sets.length }),
      ),
    );
    fc.assert(
      fc.property(
        inAnyOrder,
        mirrorSets,
        fc.option(mirrorSets, { nil: undefined }),
        fc.constantFrom('CREATE' as const, 'UPDATE' as const, 'DELETE' as const),
        fc.constantFrom(...profiles),
        ([sets, shuffled], set, former, operation, profile) => {
          const old = former && { ...former, kind: set.kind, name: set.name };
          const review = { operation, set, old };
          const [one, other] = [sets, shuffled].map((order) =>
            evaluate(review, {
              policy: defaultPolicy(profile),
              index: indexMirrorSets(order),
              insecure: parseInsecureRegistries(['m.io', 's.io/a']).registries,
              now: usualNow,
            }),
          );
          expect(other).toStrictEqual(one);
        },
      ),
    );
  });

  it('does not care whether the set under review is in the index', () => {
    fc.assert(
      fc.property(clusters, mirrorSets, (sets, set) => {
        const others = sets.filter((each) => keyOf(each) !== keyOf(set));
        const [without, within] = [others, [...others, set]].map((index) =>
          evaluate(
            { operation: 'CREATE', set },
            {
              policy: defaultPolicy('restricted'),
              index: indexMirrorSets(index),
              insecure: noInsecureRegistries,
              now: usualNow,
            },
          ),
        );
        expect(within).toStrictEqual(without);
      }),
    );
  });

  it('is never stricter in a weaker profile', () => {
    fc.assert(
      fc.property(clusters, mirrorSets, (others, set) => {
        const [audit, baseline, restricted] = profiles.map((profile) =>
          judge(set, { others: others.filter((each) => keyOf(each) !== keyOf(set)), policy: { profile } }),
        );
        expect(baseline!.findings).toHaveLength(audit!.findings.length);
        for (const [at, finding] of restricted!.findings.entries()) {
          const [weakest, weaker] = [audit!.findings[at]!, baseline!.findings[at]!];
          expect(finding.rule).toBe(weaker.rule);
          expect(compareActions(finding.action, weaker.action)).toBeLessThanOrEqual(0);
          expect(compareActions(weaker.action, weakest.action)).toBeLessThanOrEqual(0);
        }
        expect(audit!.allowed).toBe(true);
      }),
    );
  });

  it('keeps to fields of the set for the documentation example with two entries', () => {
    expect(summary(judge(ubi9repo).findings)).toStrictEqual([
      'deny windows-mirror-path spec.imageDigestMirrors[0].mirrors[0]',
      'deny windows-mirror-path spec.imageDigestMirrors[0].mirrors[1]',
    ]);
  });
});
