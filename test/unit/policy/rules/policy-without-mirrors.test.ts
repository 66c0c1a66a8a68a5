import { describe, expect, it } from 'vitest';
import { idms, itms } from '../../mirror-sets.js';
import { whatRuleSays } from '../judge.js';
import { linuxLabel, ubi9repo } from '../usual-sets.js';

const rule = 'policy-without-mirrors';

describe(rule, () => {
  it('says that a policy without a mirror forbids nothing', () => {
    const set = idms('idle', [
      ['ghcr.io', ['mirror.local'], 'NeverContactSource'],
      ['quay.io/org/image', undefined, 'NeverContactSource'],
    ]);
    expect(whatRuleSays(rule, set)).toStrictEqual([
      {
        path: 'spec.imageDigestMirrors[1].mirrorSourcePolicy',
        message: 'NeverContactSource has no effect: no mirror other than quay.io/org/image itself is listed',
        fix: 'add a mirror, or remove the entry',
      },
    ]);
  });

  it('counts the source among its mirrors as none', () => {
    const set = itms('own', [['quay.io/org/image', ['Quay.IO/org/image'], 'AllowContactingSource']]);
    expect(whatRuleSays(rule, set)).toStrictEqual([
      {
        path: 'spec.imageTagMirrors[0].mirrorSourcePolicy',
        message:
          'AllowContactingSource has no effect: no mirror other than quay.io/org/image itself is listed',
        fix: 'add a mirror, or remove the entry',
      },
    ]);
  });

  it('concerns Linux-only sets too', () => {
    const set = idms('linux', [['quay.io', [], 'NeverContactSource']], linuxLabel);
    expect(whatRuleSays(rule, set)).toHaveLength(1);
  });

  it('has nothing against an entry without mirrors and policy', () => {
    expect(whatRuleSays(rule, idms('idle', [['quay.io/org/image', []]]))).toStrictEqual([]);
    expect(whatRuleSays(rule, ubi9repo)).toStrictEqual([]);
  });

  it('leaves a mirror that is no reference to invalid-reference', () => {
    const set = idms('scheme', [['quay.io/org/image', ['https://mirror.local'], 'NeverContactSource']]);
    expect(whatRuleSays(rule, set)).toStrictEqual([]);
    expect(whatRuleSays('invalid-reference', set)).toHaveLength(1);
  });
});
