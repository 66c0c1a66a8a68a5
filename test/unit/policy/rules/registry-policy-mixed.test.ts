import { describe, expect, it } from 'vitest';
import { idms, itms } from '../../mirror-sets.js';
import { whatRuleSays } from '../judge.js';
import { linuxLabel, ubi9repo } from '../usual-sets.js';

const rule = 'registry-policy-mixed';
const forbidding = idms('forbidding', [
  ['quay.io/org/image', ['mirror.local/org/image'], 'NeverContactSource'],
]);

describe(rule, () => {
  it('says once for each registry that NeverContactSource wins', () => {
    const set = idms('mixed', [
      ['quay.io/org/image', ['mirror.local/org/image'], 'AllowContactingSource'],
      ['quay.io/org/other', ['mirror.local/org/other'], 'NeverContactSource'],
      ['quay.io/org/third', ['mirror.local/org/third']],
      ['ghcr.io', ['mirror.local'], 'NeverContactSource'],
    ]);
    expect(whatRuleSays(rule, set)).toStrictEqual([
      {
        path: 'spec.imageDigestMirrors[0].mirrorSourcePolicy',
        message:
          'quay.io has sources of both policies: quay.io/org/other is NeverContactSource, and on Windows that holds for all of them',
        fix: 'use one mirrorSourcePolicy for all sources of quay.io (another: quay.io/org/other in spec.imageDigestMirrors[1])',
      },
    ]);
  });

  it('finds the other policy in another set', () => {
    const set = itms('by-tag', [['quay.io/team/tool', ['mirror.local/team/tool']]]);
    expect(whatRuleSays(rule, set, { others: [forbidding] })).toStrictEqual([
      {
        path: 'spec.imageTagMirrors[0]',
        message:
          'quay.io has sources of both policies: quay.io/org/image is NeverContactSource, and on Windows that holds for all of them',
        fix: 'use one mirrorSourcePolicy for all sources of quay.io (another: quay.io/org/image in ImageDigestMirrorSet "forbidding")',
      },
    ]);
    expect(whatRuleSays(rule, forbidding, { others: [set] })).toMatchObject([
      {
        path: 'spec.imageDigestMirrors[0].mirrorSourcePolicy',
        fix: 'use one mirrorSourcePolicy for all sources of quay.io (another: quay.io/team/tool in ImageTagMirrorSet "by-tag")',
      },
    ]);
  });

  it('leaves one source with both policies to source-policy-conflict', () => {
    const set = idms('conflict', [['quay.io/org/image', ['mirror.local/org/image']]]);
    expect(whatRuleSays(rule, set, { others: [forbidding] })).toStrictEqual([]);
  });

  it('looks past one source with both policies for another', () => {
    const others = [
      forbidding,
      itms('zz', [['quay.io/zz/zz', ['mirror.local/zz/zz'], 'NeverContactSource']]),
    ];
    const set = idms('conflict', [['quay.io/org/image', ['mirror.local/org/image']]]);
    expect(whatRuleSays(rule, set, { others })).toMatchObject([
      {
        fix: 'use one mirrorSourcePolicy for all sources of quay.io (another: quay.io/zz/zz in ImageTagMirrorSet "zz")',
      },
    ]);
  });

  it('has nothing against registries of one policy each', () => {
    expect(whatRuleSays(rule, ubi9repo)).toStrictEqual([]);
    const set = idms('open', [
      ['quay.io/org/image', ['mirror.local/org/image'], 'AllowContactingSource'],
      ['quay.io/org/other', ['mirror.local/org/other']],
      ['quay.io:443/org/other', ['mirror.local/org/other'], 'NeverContactSource'],
    ]);
    expect(whatRuleSays(rule, set)).toStrictEqual([]);
  });

  it('passes over what does not reach Windows nodes', () => {
    const labelled = idms('linux', [['quay.io/team/a', ['mirror.local/team/a']]], linuxLabel);
    expect(whatRuleSays(rule, labelled, { others: [forbidding] })).toStrictEqual([]);
    expect(whatRuleSays(rule, forbidding, { others: [labelled] })).toStrictEqual([]);

    const payload = idms('payload', [
      ['quay.io/openshift-release-dev/ocp-release', ['mirror.local/openshift/release-images']],
    ]);
    expect(whatRuleSays(rule, payload, { others: [forbidding] })).toStrictEqual([]);
    expect(whatRuleSays(rule, forbidding, { others: [payload] })).toStrictEqual([]);

    const idle = idms('idle', [['quay.io/team/a', ['quay.io/team/a']]]);
    expect(whatRuleSays(rule, idle, { others: [forbidding] })).toStrictEqual([]);
    expect(whatRuleSays(rule, forbidding, { others: [idle] })).toStrictEqual([]);
  });
});
