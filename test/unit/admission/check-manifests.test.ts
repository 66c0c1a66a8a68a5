import { describe, expect, it } from 'vitest';
import { checkManifests, notesAsJson, reportAsJson } from '../../../src/admission/check-manifests.js';
import { noInsecureRegistries } from '../../../src/mirrors/insecure-registries.js';
import { parseManifests } from '../../../src/mirrors/manifest.js';
import { indexMirrorSets } from '../../../src/mirrors/mirror-set-index.js';
import { defaultPolicy } from '../../../src/policy/policy.js';
import { idms } from '../mirror-sets.js';

const context = {
  policy: defaultPolicy('baseline'),
  now: new Date('2026-11-24T07:00:00Z'),
  insecure: noInsecureRegistries,
};

const tagMirror = `apiVersion: config.openshift.io/v1
kind: ImageTagMirrorSet
metadata:
  name: tag-mirror
spec:
  imageTagMirrors:
  - source: quay.io/remote-org/image
    mirrors:
    - quay.io/my-org/image
`;

function digestMirror(name: string, source: string, policy: string): string {
  return `apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata:
  name: ${name}
spec:
  imageDigestMirrors:
  - source: ${source}
    mirrors: [${['mirror.local', ...source.split('/').slice(1)].join('/')}]
    mirrorSourcePolicy: ${policy}
`;
}

function check(texts: Readonly<Record<string, string>>, more: object = {}) {
  const parsed = Object.entries(texts).map(([file, text]) => parseManifests(text, file));
  return checkManifests(parsed, { ...context, ...more });
}

describe('checkManifests', () => {
  it('reports each finding at its line, with exactly the fields of check -o json', () => {
    const json = JSON.parse(JSON.stringify(reportAsJson(check({ 'tag-mirror.yaml': tagMirror })))) as {
      findings: { rule: string }[];
    };
    expect(json.findings.find(({ rule }) => rule === 'windows-mirror-path')).toStrictEqual({
      rule: 'windows-mirror-path',
      action: 'deny',
      kind: 'ImageTagMirrorSet',
      name: 'tag-mirror',
      path: 'spec.imageTagMirrors[0].mirrors[0]',
      message:
        '"quay.io/my-org/image" does not end with "remote-org/image": a Windows node would pull quay.io/my-org/remote-org/image; use the mirror quay.io/my-org/remote-org/image and copy the image there',
      suggestion: 'quay.io/my-org/remote-org/image',
      source: { file: 'tag-mirror.yaml', line: 9 },
    });
    expect(Object.keys(json)).toEqual(['findings', 'summary']);
    expect(json).toHaveProperty('summary', { deny: 1, warn: 2, audit: 1, sets: 1 });
  });

  it('orders findings by file as given, line, column and rule', () => {
    const report = check({ 'z.yaml': tagMirror, 'a.yaml': tagMirror.replace('tag-mirror', 'other') });
    const places = report.findings.map(({ source, rule }) => `${source.file}:${source.line} ${rule}`);
    const first = places.slice(0, places.length / 2);
    expect(first.every((place) => place.startsWith('z.yaml'))).toBe(true);
    expect(places.slice(first.length)).toEqual(first.map((place) => place.replace('z.yaml', 'a.yaml')));
    const lines = report.findings.slice(0, first.length).map(({ source }) => source.line);
    expect(lines).toEqual(lines.toSorted((left, right) => left - right));
    // At one line the catalogue's order: the widened ITMS stands before the required digest.
    const rules = first.map((place) => place.split(' ')[1]);
    expect(rules.indexOf('itms-widened-on-windows')).toBeLessThan(rules.indexOf('digest-required'));
  });

  it('judges each set beside all the others, whatever file they are in', () => {
    const report = check({
      'one.yaml': digestMirror('one', 'quay.io/org/image', 'AllowContactingSource'),
      'two.yaml': digestMirror('two', 'quay.io/org/image', 'NeverContactSource'),
    });
    const conflicts = report.findings.filter(({ rule }) => rule === 'source-policy-conflict');
    expect(conflicts.map(({ source }) => source.file)).toEqual(['one.yaml', 'two.yaml']);
    expect(report.admitted).toEqual([]);
  });

  it('takes the sets of a cluster into account, those that the manifests replace aside', () => {
    const live = indexMirrorSets([
      idms('one', [['quay.io/org/image', ['mirror.local/org/image'], 'NeverContactSource']]),
    ]);
    const rules = (name: string) =>
      check(
        { 'file.yaml': digestMirror(name, 'quay.io/org/image', 'AllowContactingSource') },
        { liveIndex: live },
      ).findings.map(({ rule }) => rule);
    expect(rules('two')).toContain('source-policy-conflict');
    expect(rules('one')).not.toContain('source-policy-conflict');
  });

  it('counts what an exemption took out, and keeps it apart', () => {
    const report = check(
      { 'tag-mirror.yaml': tagMirror },
      {
        policy: {
          ...context.policy,
          exemptions: [
            {
              reason: 'until the registry moves',
              expires: new Date('2026-12-01T00:00:00Z'),
              match: { rules: ['windows-mirror-path'] },
            },
          ],
        },
      },
    );
    expect(report.summary).toMatchObject({ deny: 0, exempted: 1 });
    expect(report.exempted).toMatchObject([
      {
        finding: { rule: 'windows-mirror-path', source: { line: 9 } },
        exemption: { reason: 'until the registry moves' },
      },
    ]);
    expect(report.notices).toEqual([
      'an exemption ends on 2026-11-30 (until the registry moves): from then on windows-mirror-path holds',
    ]);
    expect(reportAsJson(report)).toMatchObject({ summary: { exempted: 1 } });
    expect(notesAsJson(report)).toEqual({ notices: report.notices });
    expect(report.admitted.map(({ name }) => name)).toEqual(['tag-mirror']);
  });

  it('lists broken documents and other kinds, and judges the rest', () => {
    const report = check({
      'mixed.yaml': `kind: Secret\napiVersion: v1\nmetadata:\n  name: s\n---\n{ broken\n---\n${tagMirror}`,
    });
    expect(report.summary.sets).toBe(1);
    expect(notesAsJson(report)).toMatchObject({
      skipped: [{ kind: 'Secret', name: 's', source: { file: 'mixed.yaml', line: 1 } }],
      faults: [{ source: { file: 'mixed.yaml' } }],
    });
  });

  it('blames each of the sets that cut the pause image off together', () => {
    const forbid = (name: string) => digestMirror(name, 'mcr.microsoft.com', 'NeverContactSource');
    const report = check(
      { 'a.yaml': forbid('a'), 'b.yaml': forbid('b') },
      { policy: defaultPolicy('restricted') },
    );
    expect(report.findings.map(({ rule, action, name }) => [rule, action, name])).toEqual([
      ['pause-image-unreachable', 'deny', 'a'],
      ['pause-image-unreachable', 'deny', 'b'],
    ]);
  });

  it('says where one object stands more than once', () => {
    const report = check({ 'a.yaml': tagMirror, 'b.yaml': tagMirror });
    expect(report.notices).toEqual([
      'ImageTagMirrorSet "tag-mirror" stands 2 times (a.yaml:4, b.yaml:4): in a cluster the last one holds',
    ]);
  });
});
