import { describe, expect, it } from 'vitest';
import { idms, itms } from '../../mirror-sets.js';
import { judge, whatRuleSays } from '../judge.js';
import { linuxLabel, ubi9repo } from '../usual-sets.js';

const rule = 'source-policy-conflict';
const forbidding = idms('forbidding', [
  ['quay.io/org/image', ['mirror.local/org/image'], 'NeverContactSource'],
]);
const fix = 'give every entry of quay.io/org/image the same mirrorSourcePolicy';

describe(rule, () => {
  it('finds the later of two entries of one set', () => {
    const set = idms('both', [
      ['quay.io/org/image', ['one.local/org/image'], 'NeverContactSource'],
      ['quay.io/org/other', ['one.local/org/other'], 'AllowContactingSource'],
      ['quay.io/org/image', ['two.local/org/image'], 'AllowContactingSource'],
    ]);
    expect(whatRuleSays(rule, set)).toStrictEqual([
      {
        path: 'spec.imageDigestMirrors[2].mirrorSourcePolicy',
        message:
          'quay.io/org/image is AllowContactingSource here and NeverContactSource in spec.imageDigestMirrors[0]: Linux nodes get no registries.conf updates any more',
        fix,
        suggestion: 'NeverContactSource',
      },
    ]);
  });

  it('counts an absent policy as AllowContactingSource, and points at the entry', () => {
    const set = itms('by-tag', [['quay.io/org/image', ['mirror.local/org/image']]]);
    expect(whatRuleSays(rule, set, { others: [forbidding] })).toStrictEqual([
      {
        path: 'spec.imageTagMirrors[0]',
        message:
          'quay.io/org/image is AllowContactingSource (the default) here and NeverContactSource in ImageDigestMirrorSet "forbidding": Linux nodes get no registries.conf updates any more',
        fix,
      },
    ]);
    expect(judge(set, { others: [forbidding] }).allowed).toBe(false);
  });

  it('finds the conflict from the side that forbids', () => {
    const others = [itms('by-tag', [['quay.io/org/image', ['mirror.local/org/image']]])];
    expect(whatRuleSays(rule, forbidding, { others })).toStrictEqual([
      {
        path: 'spec.imageDigestMirrors[0].mirrorSourcePolicy',
        message:
          'quay.io/org/image is NeverContactSource here and AllowContactingSource in ImageTagMirrorSet "by-tag": Linux nodes get no registries.conf updates any more',
        fix,
        suggestion: 'AllowContactingSource',
      },
    ]);
  });

  it('tells sets of both kinds and one name apart', () => {
    const set = itms('forbidding', [['quay.io/org/image', ['mirror.local/org/image']]]);
    expect(whatRuleSays(rule, set, { others: [forbidding] })).toMatchObject([
      {
        message: expect.stringContaining(
          'NeverContactSource in ImageDigestMirrorSet "forbidding":',
        ) as string,
      },
    ]);
  });

  it('folds host names and keeps ports', () => {
    const set = idms('set', [
      ['Quay.IO/org/image', ['mirror.local/org/image']],
      ['quay.io:443/org/image', ['mirror.local/org/image']],
    ]);
    expect(whatRuleSays(rule, set, { others: [forbidding] }).map(({ path }) => path)).toStrictEqual([
      'spec.imageDigestMirrors[0]',
    ]);
  });

  it('finds whole domains and registries that conflict', () => {
    const set = idms('wide', [
      ['*.example.com', ['one.local'], 'NeverContactSource'],
      ['*.example.com', ['two.local']],
      ['ghcr.io', ['one.local']],
      ['ghcr.io', ['two.local'], 'NeverContactSource'],
    ]);
    expect(whatRuleSays(rule, set).map(({ path }) => path)).toStrictEqual([
      'spec.imageDigestMirrors[1]',
      'spec.imageDigestMirrors[3].mirrorSourcePolicy',
    ]);
  });

  it('concerns Linux-only sets too: it is Linux that breaks', () => {
    const set = idms('linux', [['quay.io/org/image', ['mirror.local/org/image']]], linuxLabel);
    expect(whatRuleSays(rule, set, { others: [forbidding] })).toHaveLength(1);
  });

  it('has nothing against one policy for each source', () => {
    expect(whatRuleSays(rule, ubi9repo)).toStrictEqual([]);
    const set = idms('same', [
      ['quay.io/org/image', ['one.local/org/image']],
      ['quay.io/org/image', ['two.local/org/image'], 'AllowContactingSource'],
      ['quay.io/org', ['two.local/org'], 'NeverContactSource'],
    ]);
    expect(whatRuleSays(rule, set)).toStrictEqual([]);
  });

  it('passes over entries without a mirror, whose policy is ignored too', () => {
    const idle = idms('idle', [
      ['quay.io/org/image', []],
      ['quay.io/org/image', ['quay.io/org/image']],
    ]);
    expect(whatRuleSays(rule, idle, { others: [forbidding] })).toStrictEqual([]);
    expect(whatRuleSays(rule, forbidding, { others: [idle] })).toStrictEqual([]);
  });

  it('does not compare the set with its own former self', () => {
    const old = idms('forbidding', [['quay.io/org/image', ['mirror.local/org/image']]]);
    expect(whatRuleSays(rule, forbidding, { old })).toStrictEqual([]);
  });
});
