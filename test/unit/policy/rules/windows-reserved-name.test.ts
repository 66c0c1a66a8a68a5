import { describe, expect, it } from 'vitest';
import { defaultPolicy } from '../../../../src/policy/policy.js';
import { idms, reference } from '../../mirror-sets.js';
import { whatRuleSays } from '../judge.js';
import { linuxLabel, ubi9repo } from '../usual-sets.js';

const rule = 'windows-reserved-name';

describe(rule, () => {
  it('names the device that the directory would be', () => {
    const set = idms('device', [
      ['quay.io', ['mirror.local']],
      ['Nul.example.com/org/image', ['mirror.local/org/image']],
    ]);
    expect(whatRuleSays(rule, set)).toStrictEqual([
      {
        path: 'spec.imageDigestMirrors[1].source',
        message:
          'no directory for this registry on a Windows node: "nul.example.com" means the device NUL on Windows, with or without an extension',
        fix: 'use another host name for the registry, or label the set mirrorgate.dev/os: linux',
      },
    ]);
  });

  it.each(['con', 'prn', 'aux.local', 'nul', 'com1', 'LPT9.example.com'])('finds %s', (host) => {
    expect(whatRuleSays(rule, idms('device', [[host, ['mirror.local']]]))).toHaveLength(1);
  });

  it('finds a host that is too long for a name', () => {
    const host = Array.from({ length: 30 }, () => 'a-long-label').join('.');
    expect(whatRuleSays(rule, idms('long', [[host, ['mirror.local']]]))).toMatchObject([
      { path: 'spec.imageDigestMirrors[0].source' },
    ]);
  });

  // With a port the directory is `con_5000_`, which is no device.
  it.each(['con:5000', 'console', 'com', 'com10', 'registry.nul', 'nul-1.example.com'])(
    'has nothing against %s',
    (host) => {
      expect(whatRuleSays(rule, idms('fine', [[host, ['mirror.local']]]))).toStrictEqual([]);
    },
  );

  it('has nothing against a mirror of such a name: mirrors have no directory', () => {
    expect(whatRuleSays(rule, idms('fine', [['quay.io', ['nul.example.com']]]))).toStrictEqual([]);
    expect(whatRuleSays(rule, ubi9repo)).toStrictEqual([]);
  });

  it('does not concern what does not reach Windows nodes', () => {
    const labelled = idms('linux', [['nul.example.com', ['mirror.local']]], linuxLabel);
    expect(whatRuleSays(rule, labelled)).toStrictEqual([]);
    expect(whatRuleSays(rule, idms('idle', [['nul.example.com', []]]))).toStrictEqual([]);

    const view = { ...defaultPolicy().view, linuxOnlySources: [reference('nul.example.com')] };
    const set = idms('by-source', [['nul.example.com/org', ['mirror.local/org']]]);
    expect(whatRuleSays(rule, set, { policy: { view } })).toStrictEqual([]);
  });
});
