import { describe, expect, it } from 'vitest';
import { parseImage } from '../../../../src/mirrors/image-reference.js';
import { defaultPolicy } from '../../../../src/policy/policy.js';
import { idms, itms, reference } from '../../mirror-sets.js';
import { findingsOf, judge, whatRuleSays } from '../judge.js';
import { dockerMirror, linuxLabel, pauseByTag, remoteOrgImage } from '../usual-sets.js';

const rule = 'itms-widened-on-windows';

describe(rule, () => {
  it('names the registry and the prefix that is tried for all of it', () => {
    expect(whatRuleSays(rule, remoteOrgImage)).toStrictEqual([
      {
        path: 'spec.imageTagMirrors[0]',
        message: 'on Windows every quay.io tag tries quay.io/my-org first',
        fix: 'use an ImageDigestMirrorSet',
      },
    ]);
  });

  it('counts further prefixes, each once, and not the source itself', () => {
    const set = itms('several', [
      [
        'quay.io/org/image',
        [
          'one.local/a/org/image',
          'two.local/org/image',
          'two.local/image',
          'three.local:5000/org/image',
          'quay.io/org/image',
        ],
      ],
    ]);
    expect(whatRuleSays(rule, set).map(({ message }) => message)).toStrictEqual([
      'on Windows every quay.io tag tries one.local/a and 2 more first',
    ]);
  });

  it('has nothing against digests, and leaves whole registries to another rule', () => {
    const byDigest = idms('digest', [['quay.io/remote-org/image', ['quay.io/my-org/remote-org/image']]]);
    expect(whatRuleSays(rule, byDigest)).toStrictEqual([]);
    expect(whatRuleSays(rule, dockerMirror)).toStrictEqual([]);
  });

  it('has nothing against an entry that sends Windows nodes nowhere else', () => {
    const set = itms('idle', [
      ['quay.io/org/image', ['quay.io/org/image']],
      ['quay.io/org/image', ['quay.io/image']],
      ['quay.io/org/image', undefined],
    ]);
    expect(whatRuleSays(rule, set)).toStrictEqual([]);
  });

  it('has nothing against a mirror that the policy leaves out on Windows', () => {
    const view = { ...defaultPolicy().view, naming: 'omit' as const };
    expect(whatRuleSays(rule, remoteOrgImage, { policy: { view } })).toStrictEqual([]);
  });

  it('does not concern sets and sources for Linux alone', () => {
    const labelled = itms('tag-mirror', [['quay.io/org/image', ['mirror.local/org/image']]], linuxLabel);
    expect(whatRuleSays(rule, labelled)).toStrictEqual([]);

    const view = { ...defaultPolicy().view, linuxOnlySources: [reference('quay.io/remote-org')] };
    expect(whatRuleSays(rule, remoteOrgImage, { policy: { view } })).toStrictEqual([]);
  });

  describe('and the pause image', () => {
    it.each(['baseline', 'restricted'] as const)('is an audit in profile %s', (profile) => {
      expect(findingsOf(rule, pauseByTag, { policy: { profile } })).toMatchObject([
        { action: 'audit', message: 'on Windows every mcr.microsoft.com tag tries mirror.local first' },
      ]);
      expect(judge(pauseByTag, { policy: { profile } }).allowed).toBe(true);
    });

    it('stays an audit where the policy file makes the rule deny', () => {
      const policy = { rules: new Map([[rule, 'deny' as const]]) };
      expect(findingsOf(rule, pauseByTag, { policy })).toMatchObject([{ action: 'audit' }]);
      expect(findingsOf(rule, remoteOrgImage, { policy })).toMatchObject([{ action: 'deny' }]);
    });

    it('is switched off where the policy file switches the rule off', () => {
      expect(findingsOf(rule, pauseByTag, { policy: { rules: new Map([[rule, 'off']]) } })).toStrictEqual([]);
    });

    it.each([
      ['an inexact mirror', 'mcr.microsoft.com/oss/kubernetes/pause', ['mirror.local/k8s/pause']],
      [
        'one mirror of two inexact',
        'mcr.microsoft.com/oss/kubernetes/pause',
        ['mirror.local/oss/kubernetes/pause', 'mirror.local/pause'],
      ],
      ['the organisation around it', 'mcr.microsoft.com/oss/kubernetes', ['mirror.local/oss/kubernetes']],
      [
        'a repository beside it',
        'mcr.microsoft.com/oss/kubernetes/pause-2',
        ['mirror.local/oss/kubernetes/pause-2'],
      ],
    ])('denies %s in profile restricted', (_, source, mirrors) => {
      const set = itms('pause', [[source, mirrors]]);
      expect(findingsOf(rule, set, { policy: { profile: 'restricted' } })).toMatchObject([
        { action: 'deny' },
      ]);
    });

    it('lets through the one that the policy file names, and no other', () => {
      const pauseImage = parseImage('registry.local/pause:1');
      if (!pauseImage.ok) throw new Error(pauseImage.fault);
      const policy = { profile: 'restricted' as const, pauseImage: pauseImage.image };
      const own = itms('own-pause', [['registry.local/pause', ['mirror.local/pause']]]);
      expect(findingsOf(rule, own, { policy })).toMatchObject([{ action: 'audit' }]);
      expect(findingsOf(rule, pauseByTag, { policy })).toMatchObject([{ action: 'deny' }]);
    });
  });
});
