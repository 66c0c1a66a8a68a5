import { describe, expect, it } from 'vitest';
import { idms, itms } from '../../mirror-sets.js';
import { whatRuleSays } from '../judge.js';
import { linuxLabel, remoteOrgImage, ubi9repo } from '../usual-sets.js';

const rule = 'mirror-chain';
const toHarbor = idms('to-harbor', [['docker.io', ['ghcr.io', 'harbor.local/docker.io']]]);

describe(rule, () => {
  it('names the set that mirrors the mirror, and its mirror', () => {
    const others = [
      idms('inner', [
        ['harbor.local/idle', ['harbor.local/idle']],
        ['harbor.local/docker.io', ['harbor.local/docker.io', 'inner.local/docker.io']],
      ]),
    ];
    expect(whatRuleSays(rule, toHarbor, { others })).toStrictEqual([
      {
        path: 'spec.imageDigestMirrors[0].mirrors[1]',
        message:
          'harbor.local is itself mirrored (in ImageDigestMirrorSet "inner"), and Windows nodes do not follow mirrors of mirrors: they contact harbor.local',
        fix: 'list the final mirror here as well: ImageDigestMirrorSet "inner" has inner.local/docker.io',
      },
    ]);
  });

  it('finds a chain within one set, at each mirror', () => {
    const set = itms('chain', [
      ['quay.io/a', ['one.local/a']],
      ['quay.io/b', ['one.local/b']],
      ['one.local/c', ['two.local/c']],
    ]);
    expect(whatRuleSays(rule, set).map(({ path, message }) => [path, message])).toStrictEqual(
      [0, 1].map((at) => [
        `spec.imageTagMirrors[${at}].mirrors[0]`,
        'one.local is itself mirrored (in spec.imageTagMirrors[2]), and Windows nodes do not follow mirrors of mirrors: they contact one.local',
      ]),
    );
  });

  it('has nothing against another organisation on the source registry', () => {
    expect(whatRuleSays(rule, remoteOrgImage)).toStrictEqual([]);
    expect(whatRuleSays(rule, ubi9repo)).toStrictEqual([]);
  });

  it('tells ports apart', () => {
    const others = [idms('inner', [['harbor.local:5000', ['inner.local']]])];
    expect(whatRuleSays(rule, toHarbor, { others })).toStrictEqual([]);
  });

  it('passes over what does not reach Windows nodes', () => {
    const inner = [['harbor.local', ['inner.local']]] as const;
    expect(whatRuleSays(rule, toHarbor, { others: [idms('inner', inner)] })).toHaveLength(1);
    expect(whatRuleSays(rule, toHarbor, { others: [idms('inner', inner, linuxLabel)] })).toStrictEqual([]);
    expect(
      whatRuleSays(rule, toHarbor, { others: [idms('idle', [['harbor.local', ['harbor.local']]])] }),
    ).toStrictEqual([]);

    const labelled = idms('outer', [['docker.io', ['harbor.local/docker.io']]], linuxLabel);
    expect(whatRuleSays(rule, labelled, { others: [idms('inner', inner)] })).toStrictEqual([]);
  });
});
