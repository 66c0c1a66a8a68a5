import { describe, expect, it } from 'vitest';
import { exemptionMatches, type Exemption } from '../../../src/policy/exemption.js';

const subject = {
  kind: 'ImageTagMirrorSet',
  name: 'team-a-tags',
  rule: 'windows-mirror-path',
  requester: { name: 'alice', groups: ['system:authenticated', 'platform'] },
} as const;

function matches(match: Exemption['match'], overrides: Partial<Parameters<typeof exemptionMatches>[1]> = {}) {
  const exemption = { reason: 'migration', expires: new Date('2027-01-01'), match };
  return exemptionMatches(exemption, { ...subject, ...overrides });
}

describe('exemptionMatches', () => {
  it.each([
    ['kinds', { kinds: ['ImageTagMirrorSet'] }, { kinds: ['ImageDigestMirrorSet'] }],
    ['names', { names: ['other', 'team-a-tags'] }, { names: ['other', 'team-a'] }],
    ['rules', { rules: ['windows-mirror-path'] }, { rules: ['digest-required'] }],
    ['users', { users: ['bob', 'alice'] }, { users: ['Alice'] }],
    ['groups', { groups: ['platform'] }, { groups: ['plat'] }],
  ] as const)('compares %s', (_, right, wrong) => {
    expect(matches(right)).toBe(true);
    expect(matches(wrong)).toBe(false);
  });

  it('wants every list that is there to match', () => {
    expect(matches({ kinds: ['ImageTagMirrorSet'], names: ['team-*'], rules: [subject.rule] })).toBe(true);
    expect(matches({ kinds: ['ImageTagMirrorSet'], names: ['team-*'], rules: ['digest-required'] })).toBe(
      false,
    );
    expect(matches({ names: ['team-*'], users: ['bob'] })).toBe(false);
  });

  it('lets a requester in by user or by group', () => {
    expect(matches({ users: ['bob'], groups: ['platform'] })).toBe(true);
    expect(matches({ users: ['alice'], groups: ['others'] })).toBe(true);
    expect(matches({ users: ['bob'], groups: ['others'] })).toBe(false);
  });

  it('does not hold for nobody when it is meant for somebody', () => {
    expect(matches({ users: ['alice'] }, { requester: undefined })).toBe(false);
    expect(matches({ groups: ['platform'] }, { requester: undefined })).toBe(false);
    expect(matches({ names: ['team-*'] }, { requester: undefined })).toBe(true);
  });

  describe('names as globs', () => {
    it.each([
      ['*', 'anything', true],
      ['*', '', true],
      ['team-*', 'team-a', true],
      ['team-*', 'team-', true],
      ['team-*', 'a-team-a', false],
      ['*-tags', 'team-a-tags', true],
      ['*-tags', 'team-a-tags-2', false],
      ['t*a*s', 'team-a-tags', true],
      ['*a*a*', 'banana', true],
      ['**', 'x', true],
      ['team-?', 'team-a', true],
      ['team-?', 'team-', false],
      ['team-?', 'team-ab', false],
      ['?*', '', false],
      ['team.a', 'team-a', false],
      ['team.a', 'team.a', true],
      ['team-[ab]', 'team-a', false],
      ['(a|b)', 'a', false],
      ['', 'team-a', false],
      ['*', 'two\nlines', true],
      ['*ab', 'aab', true],
      ['a*b?c', 'axbxbyc', true],
    ])('%j for %j: %s', (glob, name, expected) => {
      expect(matches({ names: [glob] }, { name })).toBe(expected);
    });

    it('is not held up by a name made to be difficult', () => {
      const glob = `${'*-'.repeat(20)}*x`;
      expect(matches({ names: [glob] }, { name: '-'.repeat(253) })).toBe(false);
    });
  });
});
