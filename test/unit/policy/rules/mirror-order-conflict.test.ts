import { describe, expect, it } from 'vitest';
import { defaultPolicy } from '../../../../src/policy/policy.js';
import { idms, itms } from '../../mirror-sets.js';
import { whatRuleSays } from '../judge.js';
import { linuxLabel, ubi9repo } from '../usual-sets.js';

const rule = 'mirror-order-conflict';
const oneTwo = idms('one-two', [['quay.io/org/image', ['one.local/org/image', 'two.local/org/image']]]);
const fix = 'list the mirrors in one order everywhere';

describe(rule, () => {
  it('names the set that has two mirrors the other way round', () => {
    const others = [itms('two-one', [['quay.io/org/image', ['two.local/org/image', 'one.local/org/image']]])];
    expect(whatRuleSays(rule, oneTwo, { others })).toStrictEqual([
      {
        path: 'spec.imageDigestMirrors[0].mirrors',
        message:
          'lists one.local before two.local, and ImageTagMirrorSet "two-one" has them the other way round',
        fix,
      },
    ]);
  });

  it('compares what Windows nodes contact, whatever the repository', () => {
    const set = idms('both', [
      ['quay.io/org/image', ['one.local/x/org/image', 'two.local/org/image']],
      ['quay.io/other', ['two.local/other', 'one.local/x/other']],
    ]);
    expect(whatRuleSays(rule, set)).toStrictEqual([
      {
        path: 'spec.imageDigestMirrors[0].mirrors',
        message:
          'lists one.local/x before two.local, and spec.imageDigestMirrors[1] has them the other way round',
        fix,
      },
    ]);
  });

  it('sees two mirrors the other way round with others in between', () => {
    const set = idms('long', [['quay.io/org', ['one.local/org', 'mid.local/org', 'two.local/org']]]);
    const others = [idms('reverse', [['quay.io/a', ['two.local/a', 'far.local/a', 'one.local/a']]])];
    expect(whatRuleSays(rule, set, { others })).toMatchObject([
      {
        message:
          'lists one.local before two.local, and ImageDigestMirrorSet "reverse" has them the other way round',
      },
    ]);
  });

  it('finds a circle that takes more than two lists', () => {
    const others = [
      idms('two-three', [['quay.io/a', ['two.local/a', 'three.local/a']]]),
      idms('three-one', [['quay.io/b', ['three.local/b', 'one.local/b']]]),
    ];
    expect(whatRuleSays(rule, oneTwo, { others })).toStrictEqual([
      {
        path: 'spec.imageDigestMirrors[0].mirrors',
        message:
          'lists one.local before two.local, and other entries together order them the other way round',
        fix,
      },
    ]);
  });

  it('finds each of two circles once, at the first entry that takes part', () => {
    const set = idms('circles', [
      ['quay.io/a', ['other.local/a', 'one.local/a', 'two.local/a']],
      ['quay.io/b', ['two.local/b', 'one.local/b', 'three.local/b', 'four.local/b']],
      ['quay.io/c', ['four.local/c', 'three.local/c']],
    ]);
    expect(whatRuleSays(rule, set).map(({ path, message }) => [path, message])).toStrictEqual([
      [
        'spec.imageDigestMirrors[0].mirrors',
        'lists one.local before two.local, and spec.imageDigestMirrors[1] has them the other way round',
      ],
      [
        'spec.imageDigestMirrors[1].mirrors',
        'lists three.local before four.local, and spec.imageDigestMirrors[2] has them the other way round',
      ],
    ]);
  });

  it("has nothing against the API's own example of lists that merge", () => {
    const set = idms('abc', [['quay.io/x', ['a.local/x', 'b.local/x', 'c.local/x']]]);
    const others = [idms('cde', [['quay.io/x', ['c.local/x', 'd.local/x', 'e.local/x']]])];
    expect(whatRuleSays(rule, set, { others })).toStrictEqual([]);
    expect(whatRuleSays(rule, ubi9repo)).toStrictEqual([]);
  });

  it('has nothing against other orders for other registries or prefixes', () => {
    const others = [
      idms('elsewhere', [
        ['ghcr.io/org/image', ['two.local/org/image', 'one.local/org/image']],
        ['quay.io/org/image', ['two.local/p/org/image', 'one.local/p/org/image']],
      ]),
    ];
    expect(whatRuleSays(rule, oneTwo, { others })).toStrictEqual([]);
  });

  it('keeps quiet about a conflict that the set has no part in', () => {
    const others = [
      idms('three-four', [['quay.io/a', ['three.local/a', 'four.local/a']]]),
      idms('four-three', [['quay.io/a', ['four.local/a', 'three.local/a']]]),
    ];
    expect(whatRuleSays(rule, oneTwo, { others })).toStrictEqual([]);
  });

  it('passes over what does not reach Windows nodes', () => {
    const reverse = idms(
      'linux',
      [['quay.io/org/image', ['two.local/org/image', 'one.local/org/image']]],
      linuxLabel,
    );
    expect(whatRuleSays(rule, oneTwo, { others: [reverse] })).toStrictEqual([]);
    expect(whatRuleSays(rule, reverse, { others: [oneTwo] })).toStrictEqual([]);

    const view = { ...defaultPolicy().view, naming: 'omit' as const };
    const inexact = idms('inexact', [['quay.io/a', ['two.local/b', 'one.local/b']]]);
    const set = idms('set', [['quay.io/a', ['one.local/b/a', 'two.local/b/a']]]);
    expect(whatRuleSays(rule, set, { others: [inexact] })).toHaveLength(1);
    expect(whatRuleSays(rule, set, { others: [inexact], policy: { view } })).toStrictEqual([]);
  });
});
