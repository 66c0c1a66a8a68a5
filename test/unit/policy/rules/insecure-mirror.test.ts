import { describe, expect, it } from 'vitest';
import { defaultPolicy } from '../../../../src/policy/policy.js';
import { idms } from '../../mirror-sets.js';
import { whatRuleSays } from '../judge.js';
import { linuxLabel, pullThroughCache } from '../usual-sets.js';

const rule = 'insecure-mirror';

describe(rule, () => {
  it('names the registry whose certificate is not verified', () => {
    expect(whatRuleSays(rule, pullThroughCache, { insecureRegistries: ['harbor.local'] })).toStrictEqual([
      {
        path: 'spec.imageDigestMirrors[0].mirrors[0]',
        message: 'harbor.local is in insecureRegistries: Windows nodes do not verify its certificate',
        fix: 'give it a certificate that nodes trust, and take it out of insecureRegistries',
      },
    ]);
  });

  it.each([
    ['harbor.local', true],
    ['Harbor.Local', true],
    ['harbor.local/docker.io', true],
    ['*.local', true],
    ['harbor.local:443', false],
    ['harbor.local/docker', false],
    ['local', false],
    ['*.harbor.local', false],
    ['docker.io', false],
  ])('with %s in insecureRegistries fires: %s', (insecure, fires) => {
    const found = whatRuleSays(rule, pullThroughCache, { insecureRegistries: ['unrelated.local', insecure] });
    expect(found).toHaveLength(fires ? 1 : 0);
  });

  it('has nothing to say where no registry is insecure', () => {
    expect(whatRuleSays(rule, pullThroughCache)).toStrictEqual([]);
  });

  it('passes over what does not reach Windows nodes', () => {
    const circumstances = { insecureRegistries: ['harbor.local'] };
    const labelled = idms('linux', [['docker.io', ['harbor.local/docker.io']]], linuxLabel);
    expect(whatRuleSays(rule, labelled, circumstances)).toStrictEqual([]);

    const view = { ...defaultPolicy().view, naming: 'omit' as const };
    const inexact = idms('inexact', [['docker.io/library/nginx', ['harbor.local/nginx']]]);
    expect(whatRuleSays(rule, inexact, circumstances)).toHaveLength(1);
    expect(whatRuleSays(rule, inexact, { ...circumstances, policy: { view } })).toStrictEqual([]);
  });
});
