import { describe, expect, it } from 'vitest';
import { defaultPolicy } from '../../../../src/policy/policy.js';
import { idms, reference } from '../../mirror-sets.js';
import { whatRuleSays } from '../judge.js';
import { linuxLabel } from '../usual-sets.js';

const rule = 'windows-wildcard-source';
const wildcard = idms('redhat', [
  ['registry.redhat.io', ['mirror.local']],
  ['*.redhat.io', ['mirror.local']],
]);

describe(rule, () => {
  it('names the source that Windows nodes pass over', () => {
    expect(whatRuleSays(rule, wildcard)).toStrictEqual([
      {
        path: 'spec.imageDigestMirrors[1].source',
        message: '"*.redhat.io" has no effect on Windows nodes: they look a registry up by its exact host',
        fix: 'give each host an entry of its own, or label the set mirrorgate.dev/os: linux',
      },
    ]);
  });

  it('has nothing against exact hosts', () => {
    expect(whatRuleSays(rule, idms('exact', [['sub.redhat.io', ['mirror.local']]]))).toStrictEqual([]);
  });

  it('does not concern sets and sources for Linux alone', () => {
    const labelled = idms('redhat', [['*.redhat.io', ['mirror.local']]], linuxLabel);
    expect(whatRuleSays(rule, labelled)).toStrictEqual([]);

    const view = { ...defaultPolicy().view, linuxOnlySources: [reference('*.redhat.io')] };
    expect(whatRuleSays(rule, wildcard, { policy: { view } })).toStrictEqual([]);
  });
});
