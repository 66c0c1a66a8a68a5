import { describe, expect, it } from 'vitest';
import { defaultPolicy } from '../../../../src/policy/policy.js';
import { idms, itms } from '../../mirror-sets.js';
import { whatRuleSays } from '../judge.js';
import { linuxLabel, ubi9repo } from '../usual-sets.js';

const rule = 'duplicate-mirror';
const shrinking = idms('shrinking', [
  ['quay.io/org/image', ['mirror.local/a/org/image', 'other.local/org/image', 'mirror.local/a/image']],
]);

describe(rule, () => {
  it('names both mirrors and the place that both come to', () => {
    expect(whatRuleSays(rule, shrinking)).toStrictEqual([
      {
        path: 'spec.imageDigestMirrors[0].mirrors[2]',
        message:
          'on Windows "mirror.local/a/image" and "mirror.local/a/org/image" are one mirror: for both, a node asks mirror.local/a once',
        fix: 'remove one of the two',
      },
    ]);
  });

  it('sees that upper case and the API host of Docker Hub make no difference', () => {
    const set = itms('same', [
      ['quay.io/image', ['mirror.local/image', 'Mirror.Local/image']],
      ['ghcr.io/image', ['docker.io/image', 'registry-1.docker.io/image']],
    ]);
    expect(whatRuleSays(rule, set).map(({ path }) => path)).toStrictEqual([
      'spec.imageTagMirrors[0].mirrors[1]',
      'spec.imageTagMirrors[1].mirrors[1]',
    ]);
  });

  it('has nothing against one place for two sources, or two prefixes and ports for one', () => {
    const set = idms('fine', [
      ['quay.io/a', ['mirror.local/a', 'mirror.local/x/a', 'mirror.local:5000/a']],
      ['quay.io/b', ['mirror.local/b']],
    ]);
    expect(whatRuleSays(rule, set)).toStrictEqual([]);
    expect(whatRuleSays(rule, ubi9repo)).toStrictEqual([]);
  });

  it('has nothing against a double that the policy leaves out on Windows', () => {
    const view = { ...defaultPolicy().view, naming: 'omit' as const };
    expect(whatRuleSays(rule, shrinking, { policy: { view } })).toStrictEqual([]);
  });

  it('does not concern sets for Linux alone', () => {
    const set = idms('linux', [['quay.io/org/a', ['mirror.local/org/a', 'mirror.local/a']]], linuxLabel);
    expect(whatRuleSays(rule, set)).toStrictEqual([]);
  });
});
