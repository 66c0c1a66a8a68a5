import { describe, expect, it } from 'vitest';
import { idms, itms } from '../../mirror-sets.js';
import { whatRuleSays } from '../judge.js';
import { linuxLabel, ubi9repo } from '../usual-sets.js';

const rule = 'never-contact-widened';
const forbidding = idms('forbidding', [
  ['quay.io/org/image', ['mirror.local/org/image'], 'NeverContactSource'],
]);

describe(rule, () => {
  it('says that the whole registry is forbidden', () => {
    expect(whatRuleSays(rule, forbidding)).toStrictEqual([
      {
        path: 'spec.imageDigestMirrors[0].mirrorSourcePolicy',
        message: 'on Windows this forbids all of quay.io, not only org/image',
        fix: 'use AllowContactingSource, or make all of quay.io the source',
        suggestion: 'AllowContactingSource',
      },
    ]);
  });

  it('names an image of another set that is stranded, and counts the rest', () => {
    const others = [
      itms('by-tag', [['quay.io/team/tool', ['mirror.local/team/tool']]]),
      idms('by-digest', [
        ['quay.io/team/service', ['mirror.local/team/service'], 'AllowContactingSource'],
        ['quay.io/team/forbidden', ['mirror.local/team/forbidden'], 'NeverContactSource'],
        ['ghcr.io/team/service', ['mirror.local/team/service']],
      ]),
    ];
    expect(whatRuleSays(rule, forbidding, { others }).map(({ message }) => message)).toStrictEqual([
      'on Windows this forbids all of quay.io, not only org/image; ImageDigestMirrorSet "by-digest" expects quay.io/team/service from there, and 1 more',
    ]);
  });

  it('names a stranded image of the same set by its field', () => {
    const set = idms('both', [
      ['quay.io/team/service', ['mirror.local/team/service']],
      ['quay.io/org/image', ['mirror.local/org/image'], 'NeverContactSource'],
    ]);
    expect(whatRuleSays(rule, set).map(({ path, message }) => [path, message])).toStrictEqual([
      [
        'spec.imageDigestMirrors[1].mirrorSourcePolicy',
        'on Windows this forbids all of quay.io, not only org/image; spec.imageDigestMirrors[0] expects quay.io/team/service from there',
      ],
    ]);
  });

  it('does not count images that Linux nodes alone pull, or that have no mirror', () => {
    const others = [
      idms('linux', [['quay.io/team/service', ['mirror.local/team/service']]], linuxLabel),
      idms('payload', [['quay.io/openshift-release-dev/ocp-release', ['mirror.local/release']]]),
      idms('idle', [['quay.io/team/idle', []]]),
    ];
    expect(whatRuleSays(rule, forbidding, { others })[0]?.message).toBe(
      'on Windows this forbids all of quay.io, not only org/image',
    );
  });

  it('has nothing against a whole registry, or against AllowContactingSource', () => {
    expect(whatRuleSays(rule, ubi9repo)).toStrictEqual([]);
    const open = idms('open', [
      ['quay.io/org/image', ['mirror.local/org/image'], 'AllowContactingSource'],
      ['quay.io/org/other', ['mirror.local/org/other']],
    ]);
    expect(whatRuleSays(rule, open)).toStrictEqual([]);
  });

  it('has nothing against an entry without effect', () => {
    const idle = idms('idle', [
      ['quay.io/org/image', [], 'NeverContactSource'],
      ['quay.io/org/image', ['quay.io/org/image'], 'NeverContactSource'],
    ]);
    expect(whatRuleSays(rule, idle)).toStrictEqual([]);
  });

  it('does not concern sets and sources for Linux alone', () => {
    const labelled = idms(
      'linux',
      [['quay.io/org/image', ['mirror.local/org/image'], 'NeverContactSource']],
      linuxLabel,
    );
    expect(whatRuleSays(rule, labelled)).toStrictEqual([]);

    const payload = idms('payload', [
      [
        'quay.io/openshift-release-dev/ocp-release',
        ['mirror.local/openshift/release-images'],
        'NeverContactSource',
      ],
    ]);
    expect(whatRuleSays(rule, payload)).toStrictEqual([]);
  });
});
