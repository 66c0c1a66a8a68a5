import { describe, expect, it } from 'vitest';
import { idms, itms } from '../../mirror-sets.js';
import { judge, whatRuleSays } from '../judge.js';
import { linuxLabel, ubi9repo } from '../usual-sets.js';

const rule = 'never-contact-lists-source';

describe(rule, () => {
  it('finds the mirror that is the forbidden source', () => {
    const set = itms('contradiction', [
      ['Quay.io/org/image', ['mirror.local/org/image', 'quay.io/org/image'], 'NeverContactSource'],
    ]);
    expect(whatRuleSays(rule, set)).toStrictEqual([
      {
        path: 'spec.imageTagMirrors[0].mirrors[1]',
        message:
          'quay.io/org/image is its own mirror although it must never be contacted: Linux nodes get no registries.conf updates any more',
        fix: 'remove this mirror, or use AllowContactingSource',
      },
    ]);
    expect(judge(set).allowed).toBe(false);
  });

  it('concerns Linux-only sets too: it is Linux that breaks', () => {
    const set = idms('linux', [['ghcr.io', ['ghcr.io', 'mirror.local'], 'NeverContactSource']], linuxLabel);
    expect(whatRuleSays(rule, set).map(({ path }) => path)).toStrictEqual([
      'spec.imageDigestMirrors[0].mirrors[0]',
    ]);
  });

  it('has nothing against a source among its mirrors that may be contacted', () => {
    const set = idms('own', [
      ['quay.io/org/image', ['quay.io/org/image', 'mirror.local/org/image']],
      ['quay.io/org/image', ['quay.io/org/image', 'mirror.local/org/image'], 'AllowContactingSource'],
    ]);
    expect(whatRuleSays(rule, set)).toStrictEqual([]);
  });

  it('has nothing against another place on the forbidden registry', () => {
    const set = idms('near', [
      ['quay.io/org/image', ['quay.io/copies/org/image'], 'NeverContactSource'],
      ['quay.io/org', ['quay.io/org/org', 'quay.io:443/org'], 'NeverContactSource'],
    ]);
    expect(whatRuleSays(rule, set)).toStrictEqual([]);
    expect(whatRuleSays(rule, ubi9repo)).toStrictEqual([]);
  });

  it('leaves an entry with no other mirror to policy-without-mirrors', () => {
    const set = idms('alone', [['quay.io/org/image', ['quay.io/org/image'], 'NeverContactSource']]);
    expect(whatRuleSays(rule, set)).toStrictEqual([]);
    expect(whatRuleSays('policy-without-mirrors', set)).toHaveLength(1);
  });
});
