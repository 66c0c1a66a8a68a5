import { describe, expect, it } from 'vitest';
import { resources, type KubeObject } from '../../../src/cluster/kube-object.js';
import { datedReport, policyReport, reportName, showsReport } from '../../../src/cluster/policy-report.js';
import { reportContent } from '../../../src/cluster/report-content.js';
import type { ExistingVerdict } from '../../../src/controller/judge-existing.js';
import type { Action, Finding } from '../../../src/policy/finding.js';
import { defaultPolicy } from '../../../src/policy/policy.js';
import { idms, itms } from '../mirror-sets.js';

const policy = defaultPolicy('baseline');
const set = itms('tags', [['quay.io/org/app', ['mirror.example/org/app']]]);
const owner: KubeObject = {
  apiVersion: 'config.openshift.io/v1',
  kind: 'ImageTagMirrorSet',
  metadata: { name: 'tags', uid: 'uid-tags', resourceVersion: '7' },
};

function finding(action: Action, path: string, more: Partial<Finding> = {}): Finding {
  const { kind, name } = set;
  return {
    rule: 'windows-mirror-path',
    action,
    kind,
    name,
    path,
    message: 'is wrong',
    fix: 'mend it',
    ...more,
  };
}

function verdict(
  findings: readonly Finding[],
  exempted: ExistingVerdict['judgement']['exempted'] = [],
): ExistingVerdict {
  return { set, judgement: { allowed: true, findings, exempted, notices: [] } };
}

function report(findings: readonly Finding[], resource = resources.openReports): KubeObject {
  return policyReport(resource, set, owner, reportContent(verdict(findings), policy));
}

const results = (object: KubeObject) => object['results'] as readonly Readonly<Record<string, unknown>>[];

describe('the content of a report', () => {
  it('says of each finding what it is, where, and what to do about it', () => {
    const { summary, results: lines } = reportContent(
      verdict([finding('deny', 'spec.imageTagMirrors[0].mirrors[1]', { suggestion: 'mirror.example/a' })]),
      policy,
    );
    expect(lines).toEqual([
      {
        source: 'mirrorgate',
        policy: 'mirrorgate',
        rule: 'windows-mirror-path',
        category: 'Windows nodes',
        severity: 'high',
        result: 'fail',
        scored: true,
        message: 'spec.imageTagMirrors[0].mirrors[1]: is wrong; mend it',
        properties: {
          profile: 'baseline',
          action: 'deny',
          path: 'spec.imageTagMirrors[0].mirrors[1]',
          suggestion: 'mirror.example/a',
        },
      },
    ]);
    expect(summary).toEqual({ pass: 0, fail: 1, warn: 0, error: 0, skip: 0 });
  });

  it('tells what is only audited from a warning by its severity, and passes neither', () => {
    const { summary, results: lines } = reportContent(
      verdict([finding('audit', 'a', { rule: 'digest-required' }), finding('warn', 'b')]),
      policy,
    );
    expect(lines.map(({ result, severity, scored }) => [result, severity, scored])).toEqual([
      ['warn', 'medium', false],
      ['warn', 'low', false],
    ]);
    expect(lines.map(({ category }) => category)).toEqual(['Windows nodes', 'Image mirrors']);
    expect(summary).toMatchObject({ pass: 0, warn: 2 });
  });

  it('puts the gravest first, and leaves the order of the fields otherwise', () => {
    const findings = [finding('warn', 'a'), finding('deny', 'b'), finding('warn', 'c'), finding('deny', 'd')];
    const lines = reportContent(verdict(findings), policy).results;
    expect(lines.map(({ properties }) => properties['path'])).toEqual(['b', 'd', 'a', 'c']);
  });

  it('skips what is exempted, with the reason and the end of the exemption', () => {
    const exemption = { reason: 'moves in May', expires: new Date('2027-06-01T00:00:00Z'), match: {} };
    const { summary, results: lines } = reportContent(
      verdict([], [{ finding: finding('deny', 'a'), exemption }]),
      policy,
    );
    expect(summary).toEqual({ pass: 0, fail: 0, warn: 0, error: 0, skip: 1 });
    expect(lines).toMatchObject([
      {
        result: 'skip',
        scored: false,
        properties: { exemption: 'moves in May', exemptionExpires: '2027-06-01T00:00:00.000Z' },
      },
    ]);
  });

  it('has one line for a set that breaks no rule', () => {
    const { summary, results: lines } = reportContent(verdict([]), defaultPolicy('restricted'));
    expect(summary).toEqual({ pass: 1, fail: 0, warn: 0, error: 0, skip: 0 });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ result: 'pass', properties: { profile: 'restricted' } });
    expect(lines[0]?.message).toContain('restricted');
  });

  it('holds 500 lines at most, counts all, and says in the last how many are left out', () => {
    const findings = Array.from({ length: 700 }, (_, index) => finding('warn', `p[${index}]`));
    const full = reportContent(verdict(findings.slice(0, 500)), policy);
    expect(full.results.at(-1)?.properties['path']).toBe('p[499]');

    const { summary, results: lines } = reportContent(verdict([...findings, finding('deny', 'z')]), policy);
    expect(summary).toMatchObject({ fail: 1, warn: 700 });
    expect(lines).toHaveLength(500);
    expect(lines[0]?.properties['path']).toBe('z');
    expect(lines.at(-1)).toMatchObject({ result: 'warn', properties: { omitted: '202' } });
    expect(lines.at(-1)?.message).toContain('202 more results');
  });

  it('stays within what etcd takes, however long the messages are', () => {
    const findings = Array.from({ length: 400 }, (_, index) =>
      finding('deny', `p[${index}]`, { message: 'ä'.repeat(5_000) }),
    );
    const content = reportContent(verdict(findings), policy);
    expect(Buffer.byteLength(JSON.stringify(content))).toBeLessThan(1_100_000);
    expect(content.results.length).toBeGreaterThan(50);
    expect(content.summary.fail).toBe(400);
    const omitted = Number(content.results.at(-1)?.properties['omitted']);
    expect(omitted + content.results.length - 1).toBe(400);
  });
});

describe('the report on a set', () => {
  it('is about the set, belongs to it, and carries the label', () => {
    const reference = {
      apiVersion: 'config.openshift.io/v1',
      kind: 'ImageTagMirrorSet',
      name: 'tags',
      uid: 'uid-tags',
    };
    expect(report([])).toMatchObject({
      apiVersion: 'openreports.io/v1alpha1',
      kind: 'ClusterReport',
      source: 'mirrorgate',
      metadata: {
        name: 'itms-tags',
        labels: { 'app.kubernetes.io/managed-by': 'mirrorgate' },
        ownerReferences: [reference],
      },
      scope: reference,
    });
  });

  it('has no field of the other kind', () => {
    const content = reportContent(verdict([]), policy);
    const object = policyReport(resources.policyReports, set, owner, content);
    expect(object).toMatchObject({ apiVersion: 'wgpolicyk8s.io/v1alpha2', kind: 'ClusterPolicyReport' });
    expect(object).not.toHaveProperty('source');
  });

  it('has a name of its own, however long that of the set is', () => {
    const long = 'a'.repeat(240);
    const names = [
      reportName(idms('b', [])),
      reportName(itms('b', [])),
      reportName(idms(`${long}.123456789.b`, [])),
      reportName(idms(`${long}.123456789.c`, [])),
      reportName(itms(`${long}.123456789.c`, [])),
      reportName(idms(`${long.slice(0, 215)}.bcdefghijklmnopqrstuvwxyz.abcdefghi`, [])),
    ];
    expect(names.slice(0, 2)).toEqual(['idms-b', 'itms-b']);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) {
      expect(name.length).toBeLessThanOrEqual(253);
      expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
    }
    // No set can be called so that its plain name is the shortened one of another.
    expect(names[2]).toMatch(/^idms\./);
  });
});

describe('a report that is there', () => {
  const monday = new Date('2027-03-01T10:00:00.700Z');
  const friday = new Date('2027-03-05T10:00:00Z');
  const one = finding('deny', 'a');
  const two = finding('warn', 'b');
  const stored = (object: KubeObject): KubeObject => ({
    ...object,
    metadata: { ...object.metadata, uid: 'uid-report', resourceVersion: '12', generation: 3 },
  });
  /** As an API server gives it back: the fields in another order. */
  const shuffled = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(shuffled)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(
            Object.entries(value)
              .reverse()
              .map(([name, field]) => [name, shuffled(field)]),
          )
        : value;

  it('is as it should be, whenever it was written and in whatever order its fields come', () => {
    const written = shuffled(stored(datedReport(report([one, two]), undefined, monday))) as KubeObject;
    expect(showsReport(written, report([one, two]))).toBe(true);
    expect(showsReport(written, report([one]))).toBe(false);
  });

  it.each<[string, (object: KubeObject) => KubeObject]>([
    ['a result', (object) => ({ ...object, results: results(object).slice(1) })],
    ['the summary', (object) => ({ ...object, summary: { pass: 9 } })],
    ['the scope', (object) => ({ ...object, scope: { kind: 'Node', name: 'n' } })],
    ['a field more', (object) => ({ ...object, scopeSelector: {} })],
    ['results that are none', (object) => ({ ...object, results: 'none' })],
    ['the owner', (object) => ({ ...object, metadata: { ...object.metadata, ownerReferences: [] } })],
    ['the label', (object) => ({ ...object, metadata: { ...object.metadata, labels: {} } })],
  ])('is not as it should be when somebody has changed %s', (_, change) => {
    const written = stored(datedReport(report([one, two]), undefined, monday));
    expect(showsReport(written, report([one, two]))).toBe(true);
    expect(showsReport(change(written), report([one, two]))).toBe(false);
  });

  it('keeps the time of each result that stays', () => {
    const before = datedReport(report([one, two]), undefined, monday);
    expect(results(before).map(({ timestamp }) => timestamp)).toEqual([
      { seconds: monday.getTime() / 1000 - 0.7, nanos: 0 },
      { seconds: monday.getTime() / 1000 - 0.7, nanos: 0 },
    ]);
    const after = datedReport(
      report([one, finding('deny', 'c')]),
      shuffled(stored(before)) as KubeObject,
      friday,
    );
    expect(results(after).map(({ properties, timestamp }) => [properties, timestamp])).toMatchObject([
      [{ path: 'a' }, { seconds: 1803895200 }],
      [{ path: 'c' }, { seconds: friday.getTime() / 1000 }],
    ]);
  });

  it('gets the time of now where somebody has broken it', () => {
    const before = stored(datedReport(report([one]), undefined, monday));
    const broken = {
      ...before,
      results: results(before).map((result) => ({ ...result, timestamp: 'soon' })),
    };
    const [result] = results(datedReport(report([one]), broken, friday));
    expect(result?.['timestamp']).toEqual({ seconds: friday.getTime() / 1000, nanos: 0 });
    expect(() => datedReport(report([one]), { ...before, results: [null, 3] }, friday)).not.toThrow();
  });

  it('is replaced in the version that was seen, with what others have added to its metadata', () => {
    const before = stored(datedReport(report([one]), undefined, monday));
    const { metadata } = datedReport(
      report([two]),
      {
        ...before,
        metadata: {
          ...before.metadata,
          labels: { team: 'images' },
          annotations: { note: 'kept' },
          finalizers: ['example.com/hold'],
        },
      },
      friday,
    );
    expect(metadata).toMatchObject({
      name: 'itms-tags',
      uid: 'uid-report',
      resourceVersion: '12',
      labels: { team: 'images', 'app.kubernetes.io/managed-by': 'mirrorgate' },
      annotations: { note: 'kept' },
      finalizers: ['example.com/hold'],
    });
  });
});
