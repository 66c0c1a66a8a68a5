import { describe, expect, it } from 'vitest';
import { parseImage } from '../../../../src/mirrors/image-reference.js';
import { idms, itms } from '../../mirror-sets.js';
import { findingsOf, judge, whatRuleSays } from '../judge.js';
import { linuxLabel, pauseByTag, ubi9repo } from '../usual-sets.js';

const rule = 'pause-image-unreachable';
const restricted = { profile: 'restricted' as const };

const forbidding = idms('mcr', [['mcr.microsoft.com', ['mirror.local/mcr'], 'NeverContactSource']]);
const pauseByDigest = idms('pause', [
  ['mcr.microsoft.com/oss/kubernetes/pause', ['mirror.local/oss/kubernetes/pause'], 'NeverContactSource'],
]);
const message =
  'Windows nodes would never contact mcr.microsoft.com, and no exact mirror serves oss/kubernetes/pause:3.9: no new Windows pod could start';

function imageOf(text: string) {
  const parsed = parseImage(text);
  if (!parsed.ok) throw new Error(parsed.fault);
  return parsed.image;
}

describe(rule, () => {
  describe('on CREATE', () => {
    it('fires where the registry is forbidden and only digests are mirrored', () => {
      expect(whatRuleSays(rule, forbidding)).toStrictEqual([
        {
          path: 'spec.imageDigestMirrors[0]',
          message,
          fix: 'add an ImageTagMirrorSet for mcr.microsoft.com/oss/kubernetes/pause with the mirror mirror.local/mcr/oss/kubernetes/pause',
        },
      ]);
    });

    it('denies in profile restricted and warns in the others', () => {
      expect(findingsOf(rule, forbidding, { policy: restricted })).toMatchObject([{ action: 'deny' }]);
      expect(findingsOf(rule, forbidding)).toMatchObject([{ action: 'warn' }]);
      expect(findingsOf(rule, forbidding, { policy: { profile: 'audit' } })).toMatchObject([
        { action: 'warn' },
      ]);
    });

    it('fires where an unrelated repository of the registry is forbidden, and points at it', () => {
      const set = idms('windows', [
        ['quay.io/org/image', ['mirror.local/org/image']],
        ['mcr.microsoft.com/windows/nanoserver', ['mirror.local/windows/nanoserver']],
        ['mcr.microsoft.com/windows/servercore', ['mirror.local/windows/servercore'], 'NeverContactSource'],
      ]);
      expect(whatRuleSays(rule, set)).toMatchObject([{ path: 'spec.imageDigestMirrors[2]', message }]);
    });

    it('fires for an IDMS of the pause image itself: nodes name it by tag', () => {
      expect(whatRuleSays(rule, pauseByDigest)).toMatchObject([{ path: 'spec.imageDigestMirrors[0]' }]);
    });

    it('fires where another set forbids, and the new one mirrors without serving the image', () => {
      const set = itms('windows', [
        ['mcr.microsoft.com/windows/servercore', ['mirror.local/windows/servercore']],
      ]);
      expect(whatRuleSays(rule, set, { others: [forbidding] })).toMatchObject([
        { path: 'spec.imageTagMirrors[0]', message },
      ]);
    });

    it.each([
      ['the repository', 'mcr.microsoft.com/oss/kubernetes/pause', 'mirror.local/x/oss/kubernetes/pause'],
      ['the organisation', 'mcr.microsoft.com/oss/kubernetes', 'mirror.local/oss/kubernetes'],
      ['the registry', 'mcr.microsoft.com', 'mirror.local/mcr'],
    ])('has nothing against it where %s is mirrored by tag at an exact mirror', (_, source, mirror) => {
      const others = [itms('pause', [[source, [mirror]]])];
      expect(whatRuleSays(rule, forbidding, { others })).toStrictEqual([]);
    });

    it.each([
      ['is inexact', 'mcr.microsoft.com/oss/kubernetes/pause', ['mirror.local/k8s/pause']],
      ['is of another repository', 'mcr.microsoft.com/oss/kubernetes/pause2', ['m.io/oss/kubernetes/pause2']],
      ['is of a similar organisation', 'mcr.microsoft.com/oss/kube', ['mirror.local/oss/kube']],
      ['is of another port', 'mcr.microsoft.com:443', ['mirror.local']],
      [
        'is exact for the forbidden source alone',
        'mcr.microsoft.com/oss/kubernetes/pause',
        ['mirror.local/k8s/pause', 'mcr.microsoft.com/oss/kubernetes/pause'],
      ],
    ])('fires where the tag mirror %s', (_, source, mirrors) => {
      expect(whatRuleSays(rule, forbidding, { others: [itms('pause', [[source, mirrors]])] })).toHaveLength(
        1,
      );
    });

    it('fires where the tag mirror is for Linux nodes alone', () => {
      const linux = itms(
        'pause',
        [['mcr.microsoft.com/oss/kubernetes/pause', ['mirror.local/oss/kubernetes/pause']]],
        linuxLabel,
      );
      expect(whatRuleSays(rule, forbidding, { others: [linux] })).toHaveLength(1);
    });

    it('has nothing against a registry that may be contacted, or a set that forbids others', () => {
      expect(whatRuleSays(rule, pauseByTag)).toStrictEqual([]);
      expect(whatRuleSays(rule, ubi9repo)).toStrictEqual([]);
    });

    it('has nothing against a set that forbids the registry for Linux nodes alone', () => {
      const set = idms('mcr', [['mcr.microsoft.com', ['mirror.local'], 'NeverContactSource']], linuxLabel);
      expect(whatRuleSays(rule, set)).toStrictEqual([]);
    });

    it('keeps quiet about a fault that the set has no part in', () => {
      expect(whatRuleSays(rule, ubi9repo, { others: [forbidding] })).toStrictEqual([]);
    });

    it('is satisfied by an IDMS where nodes name the image by digest', () => {
      const pauseImage = imageOf(`mcr.microsoft.com/oss/kubernetes/pause@sha256:${'ab'.repeat(32)}`);
      expect(whatRuleSays(rule, pauseByDigest, { policy: { pauseImage } })).toStrictEqual([]);
    });

    it('looks after the image that the policy names', () => {
      const pauseImage = imageOf('registry.local:5000/pause:1');
      expect(whatRuleSays(rule, forbidding, { policy: { pauseImage } })).toStrictEqual([]);
      const own = idms('own', [['registry.local:5000', ['mirror.local'], 'NeverContactSource']]);
      expect(whatRuleSays(rule, own, { policy: { pauseImage } })).toMatchObject([
        {
          message:
            'Windows nodes would never contact registry.local:5000, and no exact mirror serves pause:1: no new Windows pod could start',
          fix: 'add an ImageTagMirrorSet for registry.local:5000/pause with the mirror mirror.local/pause',
        },
      ]);
    });

    it('is left out as long as the other sets are not known', () => {
      expect(whatRuleSays(rule, forbidding, { others: 'unknown' })).toStrictEqual([]);
    });
  });

  describe('on UPDATE', () => {
    it('fires where the registry becomes forbidden', () => {
      const old = idms('mcr', [['mcr.microsoft.com', ['mirror.local/mcr']]]);
      expect(findingsOf(rule, forbidding, { old, policy: restricted })).toMatchObject([
        { action: 'deny', path: 'spec.imageDigestMirrors[0]' },
      ]);
    });

    it('fires where the tag mirror is taken away, at the list that it stood in', () => {
      const emptied = itms('pause', []);
      expect(
        findingsOf(rule, emptied, { old: pauseByTag, others: [forbidding], policy: restricted }),
      ).toMatchObject([{ action: 'deny', path: 'spec.imageTagMirrors', message }]);
    });

    it('denies to make the tag mirror Linux-only', () => {
      const labelled = { ...pauseByTag, labels: linuxLabel };
      const circumstances = { old: pauseByTag, others: [forbidding], policy: restricted };
      expect(findingsOf(rule, labelled, circumstances)).toMatchObject([{ action: 'deny' }]);
    });

    it('is lowered where the image was out of reach before', () => {
      const set = idms('mcr', [['mcr.microsoft.com', ['other.local/mcr'], 'NeverContactSource']]);
      expect(findingsOf(rule, set, { old: forbidding, policy: restricted })).toMatchObject([
        { action: 'warn', lowered: true },
      ]);
    });

    it('has nothing against taking one of two tag mirrors away', () => {
      const others = [forbidding, itms('registry', [['mcr.microsoft.com', ['mirror.local/mcr']]])];
      expect(whatRuleSays(rule, itms('pause', []), { old: pauseByTag, others })).toStrictEqual([]);
    });
  });

  it('only warns where the image was out of reach before, whoever comes or goes', () => {
    const another = idms('more', [
      ['mcr.microsoft.com/windows/servercore', ['mirror.local/windows/servercore'], 'NeverContactSource'],
    ]);
    const circumstances = { others: [forbidding], policy: restricted };
    for (const operation of ['CREATE', 'DELETE'] as const) {
      expect(findingsOf(rule, another, { ...circumstances, operation })).toMatchObject([{ action: 'warn' }]);
    }
  });

  describe('on DELETE', () => {
    it('fires where the tag mirror goes while the registry is forbidden', () => {
      const circumstances = { operation: 'DELETE', others: [forbidding], policy: restricted } as const;
      expect(whatRuleSays(rule, pauseByTag, circumstances)).toStrictEqual([
        {
          path: 'spec.imageTagMirrors[0]',
          message,
          fix: 'add an ImageTagMirrorSet for mcr.microsoft.com/oss/kubernetes/pause with the mirror mirror.local/mcr/oss/kubernetes/pause',
        },
      ]);
      expect(judge(pauseByTag, circumstances).allowed).toBe(false);
    });

    it('has nothing against the set that forbids going away', () => {
      expect(whatRuleSays(rule, forbidding, { operation: 'DELETE' })).toStrictEqual([]);
      expect(whatRuleSays(rule, forbidding, { operation: 'DELETE', others: [pauseByTag] })).toStrictEqual([]);
    });

    it('has nothing against the tag mirror going where the source may be contacted', () => {
      expect(whatRuleSays(rule, pauseByTag, { operation: 'DELETE' })).toStrictEqual([]);
    });

    it('has nothing against an unrelated set going', () => {
      expect(whatRuleSays(rule, ubi9repo, { operation: 'DELETE', others: [forbidding] })).toStrictEqual([]);
    });
  });
});
