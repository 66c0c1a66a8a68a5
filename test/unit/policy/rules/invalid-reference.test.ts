import { describe, expect, it } from 'vitest';
import { idms, itms } from '../../mirror-sets.js';
import { findingsOf, judge, whatRuleSays } from '../judge.js';
import { linuxLabel, ubi9repo } from '../usual-sets.js';

const rule = 'invalid-reference';

describe(rule, () => {
  it('names the mirror with a tag and suggests it without', () => {
    const set = itms('tagged', [['quay.io/org/image', ['mirror.local/org/image:1.2']]]);
    expect(whatRuleSays(rule, set)).toStrictEqual([
      {
        path: 'spec.imageTagMirrors[0].mirrors[0]',
        message: '"mirror.local/org/image:1.2" has a tag (:1.2); expected host[:port][/path] without one',
        fix: 'use mirror.local/org/image',
        suggestion: 'mirror.local/org/image',
      },
    ]);
  });

  it('says what form is expected where it cannot tell what was meant', () => {
    const set = idms('spaced', [['quay.io/or g', ['mirror.local/or-g']]]);
    expect(whatRuleSays(rule, set)).toStrictEqual([
      {
        path: 'spec.imageDigestMirrors[0].source',
        message:
          '"quay.io/or g" has a path segment that is not lower-case letters and digits joined by ".", "_", "__" or dashes (or g)',
        fix: 'write it as host[:port][/path]',
      },
    ]);
  });

  it.each([
    ['https://quay.io/org/image', 'quay.io/org/image'],
    ['quay.io/org/image@sha256:0123', 'quay.io/org/image'],
    ['quay.io/org/image:latest@sha256:0123', 'quay.io/org/image'],
    ['quay.io/org/image/', 'quay.io/org/image'],
    ['quay.io/Org/Image', 'quay.io/org/image'],
    ['  quay.io/org  ', 'quay.io/org'],
    ['docker://quay.io:8443/org/image:1', 'quay.io:8443/org/image'],
    ['nginx:1.25', undefined],
    ['', undefined],
    ['*.example.com/org', undefined],
    ['[::1]:5000/org', undefined],
  ])('for the source %j suggests %j', (source, suggestion) => {
    const [finding] = findingsOf(rule, idms('set', [[source, ['mirror.local/org/image']]]));
    expect(finding?.path).toBe('spec.imageDigestMirrors[0].source');
    expect(finding?.suggestion).toBe(suggestion);
  });

  it('lets a source be *.domain, and a mirror not', () => {
    const set = idms('wild', [['*.example.com', ['*.mirror.local']]]);
    expect(whatRuleSays(rule, set)).toStrictEqual([
      {
        path: 'spec.imageDigestMirrors[0].mirrors[0]',
        message: '"*.mirror.local" is a wildcard; only a source may be *.domain, expected host[:port][/path]',
        fix: 'write it as host[:port][/path]',
      },
    ]);
  });

  it('shows the beginning of a text that is long', () => {
    const [finding] = findingsOf(rule, idms('long', [[`https://${'x'.repeat(5000)}`, []]]));
    expect(finding?.message.length).toBeLessThan(256);
  });

  it('keeps a text with line breaks on one line', () => {
    const [finding] = findingsOf(rule, idms('lines', [['quay.io@a\nError: all is lost\u2028', []]]));
    expect(finding?.message).not.toMatch(/[\n\u2028]/);
  });

  it.each([
    ['slashes', `${'/'.repeat(300_000)}a`],
    ['at signs', `${'@'.repeat(300_000)}\n`],
    ['colons', `a/${':b'.repeat(300_000)}/`],
    ['dashes', `a/${'-'.repeat(300_000)}`],
  ])('takes a text of very many %s in its stride', (_, source) => {
    expect(findingsOf(rule, idms('huge', [[source, ['mirror.local/a']]]))).toHaveLength(1);
  });

  it('concerns Linux-only sets too', () => {
    const set = idms('linux', [['https://quay.io', ['mirror.local']]], linuxLabel);
    expect(whatRuleSays(rule, set)).toHaveLength(1);
  });

  it('has nothing against what the CRD takes', () => {
    const set = idms('odd-but-right', [
      ['Quay.IO:443/a__b/c---d/e.f_g', ['mirror-1.local', '127.0.0.1:5000/x']],
      ['localhost', ['m']],
    ]);
    expect(whatRuleSays(rule, set)).toStrictEqual([]);
    expect(whatRuleSays(rule, ubi9repo)).toStrictEqual([]);
  });

  it('leaves deletion alone', () => {
    const set = idms('tagged', [['quay.io/org/image:1', ['mirror.local/org/image']]]);
    expect(judge(set, { operation: 'DELETE' }).findings).toStrictEqual([]);
  });
});
