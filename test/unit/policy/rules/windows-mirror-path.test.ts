import { describe, expect, it } from 'vitest';
import { describeFinding } from '../../../../src/policy/finding.js';
import { defaultPolicy } from '../../../../src/policy/policy.js';
import { idms, itms, reference } from '../../mirror-sets.js';
import { findingsOf, whatRuleSays } from '../judge.js';
import {
  dockerMirror,
  linuxLabel,
  pullThroughCache,
  releasePayload,
  remoteOrgImage,
  ubi9repo,
} from '../usual-sets.js';

const rule = 'windows-mirror-path';

describe(rule, () => {
  it('tells what a Windows node would pull instead, and suggests that mirror', () => {
    expect(whatRuleSays(rule, remoteOrgImage)).toStrictEqual([
      {
        path: 'spec.imageTagMirrors[0].mirrors[0]',
        message:
          '"quay.io/my-org/image" does not end with "remote-org/image": a Windows node would pull quay.io/my-org/remote-org/image',
        fix: 'use the mirror quay.io/my-org/remote-org/image and copy the image there',
        suggestion: 'quay.io/my-org/remote-org/image',
      },
    ]);
  });

  it('finds both mirrors of the documentation example', () => {
    expect(whatRuleSays(rule, ubi9repo).map(({ path, suggestion }) => [path, suggestion])).toStrictEqual([
      ['spec.imageDigestMirrors[0].mirrors[0]', 'example.io/example/ubi9/ubi-minimal'],
      ['spec.imageDigestMirrors[0].mirrors[1]', 'example.com/example2/ubi9/ubi-minimal'],
    ]);
  });

  it.each([
    ['mirror.local/oss/kubernetes/pause', undefined],
    ['mirror.local/custom/oss/kubernetes/pause', undefined],
    ['mirror.local/x/y/z/oss/kubernetes/pause', undefined],
    ['mirror.local:5000/oss/kubernetes/pause', undefined],
    ['mirror.local/k8s/pause', 'mirror.local/k8s/oss/kubernetes/pause'],
    ['mirror.local/pause', 'mirror.local/oss/kubernetes/pause'],
    ['mirror.local', 'mirror.local/oss/kubernetes/pause'],
    // Segments, not text: `xoss` ends with `oss` as text only.
    ['mirror.local/xoss/kubernetes/pause', 'mirror.local/xoss/oss/kubernetes/pause'],
    ['mirror.local/oss/kubernetes/pause/x', 'mirror.local/oss/kubernetes/pause/x/oss/kubernetes/pause'],
  ])('for the pause image and the mirror %s suggests %s', (mirror, suggestion) => {
    const set = idms('pause', [['mcr.microsoft.com/oss/kubernetes/pause', [mirror]]]);
    const found = whatRuleSays(rule, set);
    expect(found.map((each) => each.suggestion)).toStrictEqual(suggestion === undefined ? [] : [suggestion]);
  });

  it('suggests a mirror that it has nothing against', () => {
    const [{ suggestion = '' } = {}] = whatRuleSays(rule, remoteOrgImage);
    const mended = itms('tag-mirror', [['quay.io/remote-org/image', [suggestion]]]);
    expect(whatRuleSays(rule, mended)).toStrictEqual([]);
  });

  it('has nothing against any mirror of a whole registry', () => {
    expect(whatRuleSays(rule, pullThroughCache)).toStrictEqual([]);
    expect(whatRuleSays(rule, dockerMirror)).toStrictEqual([]);
  });

  it('suggests nothing where the node would ask the source itself', () => {
    const set = idms('own-registry', [['quay.io/org/image', ['quay.io/image']]]);
    expect(whatRuleSays(rule, set)).toStrictEqual([
      {
        path: 'spec.imageDigestMirrors[0].mirrors[0]',
        message: '"quay.io/image" does not end with "org/image": a Windows node would pull quay.io/org/image',
        fix: 'use a mirror on another registry, or below a prefix, whose path ends with "org/image"',
      },
    ]);
  });

  it('says that the mirror is left out where the policy renders it so', () => {
    const view = { ...defaultPolicy().view, naming: 'omit' as const };
    const [finding] = findingsOf(rule, remoteOrgImage, { policy: { view } });
    expect(finding && describeFinding(finding)).toBe(
      '"quay.io/my-org/image" does not end with "remote-org/image": Windows nodes do not get it; use the mirror quay.io/my-org/remote-org/image and copy the image there',
    );
  });

  it('does not concern wildcard sources', () => {
    expect(whatRuleSays(rule, idms('wild', [['*.redhat.io', ['mirror.local/redhat']]]))).toStrictEqual([]);
  });

  it('does not concern the release payload, which Linux nodes alone use', () => {
    expect(whatRuleSays(rule, releasePayload)).toStrictEqual([]);
  });

  it('concerns the release payload where no source is Linux-only', () => {
    const view = { ...defaultPolicy().view, linuxOnlySources: [] };
    expect(whatRuleSays(rule, releasePayload, { policy: { view } })).toHaveLength(2);
  });

  it('compares Linux-only sources by segments, not by text', () => {
    const set = idms('lookalike', [['quay.io/openshift-release-dev-2/image', ['mirror.local/image']]]);
    expect(whatRuleSays(rule, set)).toHaveLength(1);
  });

  it('takes a whole domain as a Linux-only source', () => {
    const view = { ...defaultPolicy().view, linuxOnlySources: [reference('*.redhat.com')] };
    expect(whatRuleSays(rule, ubi9repo, { policy: { view } })).toStrictEqual([]);
  });

  it('does not concern a set with the Linux label', () => {
    const set = itms('tag-mirror', [['quay.io/remote-org/image', ['quay.io/my-org/image']]], linuxLabel);
    expect(whatRuleSays(rule, set)).toStrictEqual([]);
  });

  it('concerns a set whose label names another system', () => {
    const set = itms('tag-mirror', [['quay.io/remote-org/image', ['quay.io/my-org/image']]], {
      'mirrorgate.dev/os': 'windows',
    });
    expect(whatRuleSays(rule, set)).toHaveLength(1);
  });
});
