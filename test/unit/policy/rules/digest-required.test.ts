import { describe, expect, it } from 'vitest';
import { defaultPolicy } from '../../../../src/policy/policy.js';
import { itms, reference } from '../../mirror-sets.js';
import { findingsOf, judge, whatRuleSays } from '../judge.js';
import { linuxLabel, pauseByTag, remoteOrgImage, ubi9repo } from '../usual-sets.js';

const rule = 'digest-required';
const restricted = { profile: 'restricted' as const };

describe(rule, () => {
  it('finds every entry of an ITMS', () => {
    const set = itms('tags', [
      ['quay.io/remote-org/image', ['mirror.local/remote-org/image']],
      ['ghcr.io', ['mirror.local']],
    ]);
    expect(whatRuleSays(rule, set)).toStrictEqual([
      {
        path: 'spec.imageTagMirrors[0]',
        message: 'mirrors "quay.io/remote-org/image" by tag, and a tag can be moved to other content',
        fix: 'use an ImageDigestMirrorSet and name its images by digest',
      },
      {
        path: 'spec.imageTagMirrors[1]',
        message: 'mirrors "ghcr.io" by tag, and a tag can be moved to other content',
        fix: 'use an ImageDigestMirrorSet and name its images by digest',
      },
    ]);
  });

  it('denies in profile restricted and records in the others', () => {
    expect(findingsOf(rule, remoteOrgImage, { policy: restricted })).toMatchObject([{ action: 'deny' }]);
    expect(findingsOf(rule, remoteOrgImage)).toMatchObject([{ action: 'audit' }]);
  });

  it('has nothing against an IDMS', () => {
    expect(whatRuleSays(rule, ubi9repo, { policy: restricted })).toStrictEqual([]);
  });

  it('cannot be switched off by the Linux label or a Linux-only source', () => {
    const set = itms('tag-mirror', [['quay.io/org/image', ['mirror.local/org/image']]], linuxLabel);
    expect(judge(set, { policy: restricted }).allowed).toBe(false);
    expect(whatRuleSays(rule, set, { policy: restricted })).toHaveLength(1);

    const view = { ...defaultPolicy().view, linuxOnlySources: [reference('quay.io')] };
    expect(whatRuleSays(rule, remoteOrgImage, { policy: { ...restricted, view } })).toHaveLength(1);
  });

  it('lets the pause image through at an exact mirror', () => {
    expect(whatRuleSays(rule, pauseByTag, { policy: restricted })).toStrictEqual([]);
    expect(judge(pauseByTag, { policy: restricted }).allowed).toBe(true);
  });

  it('does not let other entries through beside the pause image', () => {
    const set = itms('pause', [
      ['mcr.microsoft.com/oss/kubernetes/pause', ['mirror.local/oss/kubernetes/pause']],
      ['mcr.microsoft.com/windows/servercore', ['mirror.local/windows/servercore']],
    ]);
    expect(whatRuleSays(rule, set, { policy: restricted }).map(({ path }) => path)).toStrictEqual([
      'spec.imageTagMirrors[1]',
    ]);
  });

  it.each([
    ['at an inexact mirror', 'mcr.microsoft.com/oss/kubernetes/pause', ['mirror.local/pause']],
    [
      'where one mirror of two is inexact',
      'mcr.microsoft.com/oss/kubernetes/pause',
      ['mirror.local/oss/kubernetes/pause', 'mirror.local/pause'],
    ],
    ['by way of its organisation', 'mcr.microsoft.com/oss', ['mirror.local/oss']],
    ['by way of its registry', 'mcr.microsoft.com', ['mirror.local']],
    ['without any mirror', 'mcr.microsoft.com/oss/kubernetes/pause', []],
  ])('does not let the pause image through %s', (_, source, mirrors) => {
    expect(whatRuleSays(rule, itms('pause', [[source, mirrors]]), { policy: restricted })).toHaveLength(1);
  });
});
