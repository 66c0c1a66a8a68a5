import { describe, expect, it } from 'vitest';
import { defaultPolicy } from '../../../../src/policy/policy.js';
import { idms, itms, reference } from '../../mirror-sets.js';
import { judge, whatRuleSays } from '../judge.js';
import { dockerMirror, linuxLabel, pullThroughCache, remoteOrgImage } from '../usual-sets.js';

const rule = 'itms-registry-wide';

describe(rule, () => {
  it('finds the documentation example of a whole registry by tag', () => {
    expect(whatRuleSays(rule, dockerMirror)).toStrictEqual([
      {
        path: 'spec.imageTagMirrors[0].source',
        message: '"docker-mirror.internal" is a whole registry: every tag there is redirected to the mirrors',
        fix: 'name single repositories as sources, or use an ImageDigestMirrorSet',
      },
    ]);
    expect(judge(dockerMirror).allowed).toBe(false);
  });

  it('finds a whole domain by tag, and the entry that it stands in', () => {
    const set = itms('domain', [
      ['quay.io/org/image', ['mirror.local/org/image']],
      ['*.example.com', ['mirror.local']],
      ['registry.example.com:5000', ['mirror.local']],
    ]);
    expect(whatRuleSays(rule, set).map(({ path, message }) => [path, message])).toStrictEqual([
      [
        'spec.imageTagMirrors[1].source',
        '"*.example.com" is a whole domain: every tag there is redirected to the mirrors',
      ],
      [
        'spec.imageTagMirrors[2].source',
        '"registry.example.com:5000" is a whole registry: every tag there is redirected to the mirrors',
      ],
    ]);
  });

  it('cannot be switched off by the Linux label', () => {
    const set = itms('tag-mirror', [['docker-mirror.internal', ['docker.io']]], linuxLabel);
    expect(whatRuleSays(rule, set)).toHaveLength(1);
    expect(judge(set).allowed).toBe(false);
  });

  it('cannot be switched off by a Linux-only source', () => {
    const view = { ...defaultPolicy().view, linuxOnlySources: [reference('docker-mirror.internal')] };
    expect(whatRuleSays(rule, dockerMirror, { policy: { view } })).toHaveLength(1);
  });

  it('has nothing against a whole registry by digest, or a repository by tag', () => {
    expect(whatRuleSays(rule, pullThroughCache)).toStrictEqual([]);
    expect(whatRuleSays(rule, remoteOrgImage)).toStrictEqual([]);
    expect(whatRuleSays(rule, idms('domain', [['*.example.com', ['mirror.local']]]))).toStrictEqual([]);
  });

  it('has nothing against an entry that redirects nothing', () => {
    expect(
      whatRuleSays(
        rule,
        itms('idle', [
          ['quay.io', ['quay.io']],
          ['docker.io', []],
          ['ghcr.io', undefined],
        ]),
      ),
    ).toStrictEqual([]);
  });
});
