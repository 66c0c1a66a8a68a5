import { describe, expect, it } from 'vitest';
import { idms, itms } from '../../mirror-sets.js';
import { findingsOf, whatRuleSays } from '../judge.js';
import { linuxLabel, releasePayload, remoteOrgImage, ubi9repo } from '../usual-sets.js';

const rule = 'linux-nodes-drain';
const drains = 'every Linux node is drained, one after another';
const avoidable = 'use an ImageDigestMirrorSet, or choose a maintenance window';
const inevitable = 'choose a maintenance window';

const digest = idms('digest', [['quay.io/org/image', ['one.local/org/image', 'two.local/org/image']]]);

describe(rule, () => {
  describe('no drain', () => {
    it('for a new source with digest mirrors', () => {
      expect(whatRuleSays(rule, ubi9repo)).toStrictEqual([]);
      expect(whatRuleSays(rule, releasePayload)).toStrictEqual([]);
    });

    it('for a new source with digest mirrors that is blocked from the start', () => {
      const set = idms('blocked', [['ghcr.io', ['mirror.local'], 'NeverContactSource']]);
      expect(whatRuleSays(rule, set)).toStrictEqual([]);
    });

    it('for a digest mirror added to a source', () => {
      const set = idms('digest', [
        ['quay.io/org/image', ['new.local/org/image', 'one.local/org/image', 'two.local/org/image']],
      ]);
      expect(whatRuleSays(rule, set, { old: digest })).toStrictEqual([]);
      const more = idms('more', [['quay.io/org/image', ['new.local/org/image']]]);
      expect(whatRuleSays(rule, more, { others: [digest, remoteOrgImage] })).toStrictEqual([]);
    });

    it('for mirrors in another order', () => {
      const reordered = idms('digest', [
        ['quay.io/org/image', ['two.local/org/image', 'one.local/org/image']],
      ]);
      expect(whatRuleSays(rule, reordered, { old: digest })).toStrictEqual([]);
      const tags = itms('tags', [['quay.io/a', ['one.local/a', 'two.local/a']]]);
      const reorderedTags = itms('tags', [['quay.io/a', ['two.local/a', 'one.local/a']]]);
      expect(whatRuleSays(rule, reorderedTags, { old: tags })).toStrictEqual([]);
    });

    it('for entries in another order, or written in another way', () => {
      const old = itms('tags', [
        ['quay.io/a', ['one.local/a']],
        ['quay.io/b', ['one.local/b'], 'AllowContactingSource'],
      ]);
      const set = itms('tags', [
        ['Quay.IO/b', ['ONE.local/b']],
        ['quay.io/a', ['one.local/a'], 'AllowContactingSource'],
      ]);
      expect(whatRuleSays(rule, set, { old })).toStrictEqual([]);
    });

    it('for a tag mirror that another ITMS has already', () => {
      const others = [remoteOrgImage];
      const again = itms('again', [['quay.io/remote-org/image', ['quay.io/my-org/image']]]);
      expect(whatRuleSays(rule, again, { others })).toStrictEqual([]);
      expect(whatRuleSays(rule, again, { others, operation: 'DELETE' })).toStrictEqual([]);
    });

    it('for a digest mirror that another IDMS still has', () => {
      const others = [idms('twin', [['quay.io/org/image', ['two.local/org/image', 'one.local/org/image']]])];
      expect(whatRuleSays(rule, digest, { others, operation: 'DELETE' })).toStrictEqual([]);
    });

    it('for what Linux nodes ignore', () => {
      const idle = itms('idle', [
        ['quay.io/a', [], 'NeverContactSource'],
        ['quay.io/b', ['quay.io/b']],
        ['https://quay.io/c', ['mirror.local/c']],
      ]);
      expect(whatRuleSays(rule, idle)).toStrictEqual([]);
      expect(whatRuleSays(rule, idle, { operation: 'DELETE' })).toStrictEqual([]);
    });

    it('for a change of metadata alone', () => {
      expect(
        whatRuleSays(rule, { ...remoteOrgImage, labels: { team: 'a' } }, { old: remoteOrgImage }),
      ).toStrictEqual([]);
    });

    it('for an update that the finalizers of an object make', () => {
      expect(
        whatRuleSays(rule, { ...remoteOrgImage, deleting: true }, { old: remoteOrgImage }),
      ).toStrictEqual([]);
    });
  });

  describe('drain', () => {
    it('for a new source with a tag mirror, which an IDMS would avoid', () => {
      expect(whatRuleSays(rule, remoteOrgImage)).toStrictEqual([
        {
          path: 'spec.imageTagMirrors[0].mirrors[0]',
          message: `adds the tag mirror quay.io/my-org/image: ${drains}`,
          fix: avoidable,
        },
      ]);
    });

    it('for tag mirrors of several sources, as one finding that counts them', () => {
      const set = itms('tags', [
        ['quay.io/a', ['one.local/a', 'two.local/a']],
        ['ghcr.io/b', ['one.local/b']],
      ]);
      expect(whatRuleSays(rule, set)).toStrictEqual([
        {
          path: 'spec.imageTagMirrors[0].mirrors[0]',
          message: `adds the tag mirror one.local/a (and 2 more): ${drains}`,
          fix: avoidable,
        },
      ]);
    });

    it('for a tag mirror of a source that has digest mirrors', () => {
      const set = itms('tags', [['quay.io/org/image', ['one.local/org/image']]]);
      expect(whatRuleSays(rule, set, { others: [digest] })).toMatchObject([
        {
          message: `adds the tag mirror one.local/org/image: ${drains}`,
          fix: avoidable,
        },
      ]);
    });

    it('for a tag mirror added to an ITMS', () => {
      const old = itms('tags', [['quay.io/a', ['one.local/a']]]);
      const set = itms('tags', [['quay.io/a', ['one.local/a', 'two.local/a']]]);
      expect(whatRuleSays(rule, set, { old })).toStrictEqual([
        {
          path: 'spec.imageTagMirrors[0].mirrors[1]',
          message: `adds the tag mirror two.local/a: ${drains}`,
          fix: avoidable,
        },
      ]);
    });

    it('for tags of a whole domain', () => {
      expect(whatRuleSays(rule, itms('domain', [['*.example.com', ['one.local']]]))).toMatchObject([
        { message: `adds the tag mirror one.local: ${drains}` },
      ]);
    });

    it('for a removed digest mirror', () => {
      const set = idms('digest', [
        ['ghcr.io/a', ['one.local/a']],
        ['quay.io/org/image', ['one.local/org/image']],
      ]);
      expect(whatRuleSays(rule, set, { old: digest })).toStrictEqual([
        {
          path: 'spec.imageDigestMirrors[1]',
          message: `removes the mirror two.local/org/image: ${drains}`,
          fix: inevitable,
        },
      ]);
    });

    it('at the first entry of a source that has several', () => {
      const entry = ['quay.io/a', ['one.local/a']] as const;
      const old = idms('digest', [entry, entry, ['quay.io/a', ['two.local/a']]]);
      expect(
        whatRuleSays(rule, idms('digest', [['ghcr.io', ['m.local']], entry, entry]), { old }),
      ).toMatchObject([{ path: 'spec.imageDigestMirrors[1]' }]);
    });

    it('for a replaced tag mirror, where an IDMS would not help', () => {
      const old = itms('tags', [['quay.io/a', ['one.local/a']]]);
      const set = itms('tags', [['quay.io/a', ['two.local/a']]]);
      expect(whatRuleSays(rule, set, { old })).toStrictEqual([
        {
          path: 'spec.imageTagMirrors[0].mirrors[0]',
          message: `adds the tag mirror two.local/a (and 1 more): ${drains}`,
          fix: inevitable,
        },
      ]);
    });

    it('for a removed source, at the list that it stood in', () => {
      const old = idms('digest', [
        ['quay.io/org/image', ['one.local/org/image']],
        ['ghcr.io/a', ['one.local/a']],
      ]);
      const set = idms('digest', [['ghcr.io/a', ['one.local/a']]]);
      expect(whatRuleSays(rule, set, { old })).toStrictEqual([
        {
          path: 'spec.imageDigestMirrors',
          message: `removes the source quay.io/org/image: ${drains}`,
          fix: inevitable,
        },
      ]);
    });

    it('for a source whose mirrors are emptied: it is ignored from then on', () => {
      const set = idms('digest', [['quay.io/org/image', ['quay.io/org/image']]]);
      expect(whatRuleSays(rule, set, { old: digest })).toMatchObject([
        { path: 'spec.imageDigestMirrors[0]', message: `removes the source quay.io/org/image: ${drains}` },
      ]);
    });

    it('for a deleted set', () => {
      expect(whatRuleSays(rule, ubi9repo, { operation: 'DELETE' })).toStrictEqual([
        {
          path: 'spec.imageDigestMirrors[0]',
          message: `removes the source registry.access.redhat.com/ubi9/ubi-minimal (and 1 more): ${drains}`,
          fix: inevitable,
        },
      ]);
    });

    it('for a deleted set of which another keeps the source', () => {
      const others = [idms('kept', [['quay.io/org/image', ['one.local/org/image']]])];
      expect(whatRuleSays(rule, digest, { operation: 'DELETE', others })).toMatchObject([
        {
          path: 'spec.imageDigestMirrors[0]',
          message: `removes the mirror two.local/org/image: ${drains}`,
        },
      ]);
    });

    it.each([
      ['blocks', undefined, 'NeverContactSource'],
      ['unblocks', 'NeverContactSource', 'AllowContactingSource'],
      ['unblocks', 'NeverContactSource', undefined],
    ] as const)('for an update that %s a source (%s to %s)', (what, before, after) => {
      const old = idms('set', [['quay.io/a', ['one.local/a'], before]]);
      const set = idms('set', [['quay.io/a', ['one.local/a', 'two.local/a'], after]]);
      expect(whatRuleSays(rule, set, { old })).toStrictEqual([
        {
          path: 'spec.imageDigestMirrors[0]',
          message: `${what} the source quay.io/a: ${drains}`,
          fix: inevitable,
        },
      ]);
    });

    it('for a new set that blocks a source of another', () => {
      const set = idms('blocking', [['quay.io/org/image', ['three.local/org/image'], 'NeverContactSource']]);
      expect(whatRuleSays(rule, set, { others: [digest] })).toMatchObject([
        { message: `blocks the source quay.io/org/image: ${drains}`, fix: inevitable },
      ]);
    });

    it('for Linux-only sets most of all', () => {
      const set = itms('linux', [['quay.io/a', ['one.local/a']]], linuxLabel);
      expect(whatRuleSays(rule, set)).toHaveLength(1);
      expect(whatRuleSays(rule, releasePayload, { operation: 'DELETE' })).toHaveLength(1);
    });
  });

  it('warns, and is left out as long as the other sets are not known', () => {
    expect(findingsOf(rule, remoteOrgImage)).toMatchObject([{ action: 'warn' }]);
    expect(whatRuleSays(rule, remoteOrgImage, { others: 'unknown' })).toStrictEqual([]);
  });
});
