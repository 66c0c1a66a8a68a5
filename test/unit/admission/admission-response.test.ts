import { describe, expect, it } from 'vitest';
import {
  admissionResponse,
  malformedResponse,
  waivedResponse,
} from '../../../src/admission/admission-response.js';
import { exemption, finding, judgement } from './findings.js';

const reviewed = { uid: 'u-1', kind: 'ImageTagMirrorSet', name: 'tag-mirror' } as const;

describe('admissionResponse', () => {
  it('allows without status or warnings where nothing was found', () => {
    expect(admissionResponse(reviewed, judgement([]), 'baseline')).toEqual({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: 'u-1', allowed: true, auditAnnotations: { profile: 'baseline' } },
    });
  });

  it('denies with a block for each finding and a cause for each', () => {
    const findings = [
      finding(),
      finding({
        path: 'spec.imageTagMirrors[0].mirrors[1]',
        message: 'is wrong too',
        fix: 'mend it as well',
      }),
      finding({ rule: 'mirror-chain', action: 'warn' }),
      finding({ rule: 'itms-registry-wide', path: 'spec.imageTagMirrors[1].source' }),
    ];
    const { response } = admissionResponse(reviewed, judgement(findings), 'restricted');
    expect(response.status).toEqual({
      status: 'Failure',
      code: 403,
      reason: 'Forbidden',
      message: [
        'ImageTagMirrorSet "tag-mirror" breaks 2 rules (profile restricted)',
        '  windows-mirror-path at spec.imageTagMirrors[0].mirrors[0]',
        '    is wrong',
        '    fix: mend it',
        '  windows-mirror-path at spec.imageTagMirrors[0].mirrors[1]',
        '    is wrong too',
        '    fix: mend it as well',
        '  itms-registry-wide at spec.imageTagMirrors[1].source',
        '    is wrong',
        '    fix: mend it',
      ].join('\n'),
      details: {
        name: 'tag-mirror',
        group: 'config.openshift.io',
        kind: 'ImageTagMirrorSet',
        causes: [
          {
            reason: 'windows-mirror-path',
            message: 'is wrong; mend it',
            field: 'spec.imageTagMirrors[0].mirrors[0]',
          },
          {
            reason: 'windows-mirror-path',
            message: 'is wrong too; mend it as well',
            field: 'spec.imageTagMirrors[0].mirrors[1]',
          },
          {
            reason: 'itms-registry-wide',
            message: 'is wrong; mend it',
            field: 'spec.imageTagMirrors[1].source',
          },
        ],
      },
    });
    expect(response.warnings).toHaveLength(1);
    expect(response.auditAnnotations).toEqual({
      profile: 'restricted',
      'denied-rules': 'windows-mirror-path,itms-registry-wide',
      'warned-rules': 'mirror-chain',
    });
  });

  it('is 422 Invalid as soon as one denying finding is an invalid reference', () => {
    const mixed = judgement([finding(), finding({ rule: 'invalid-reference' })]);
    expect(admissionResponse(reviewed, mixed, 'baseline').response.status).toMatchObject({
      code: 422,
      reason: 'Invalid',
    });
    const warned = judgement([finding(), finding({ rule: 'invalid-reference', action: 'warn' })]);
    expect(admissionResponse(reviewed, warned, 'baseline').response.status).toMatchObject({
      code: 403,
      reason: 'Forbidden',
    });
  });

  it('bounds the answer for a set with thousands of findings, and counts the rest', () => {
    const findings = Array.from({ length: 10_000 }, (_, index) =>
      finding({ path: `spec.imageTagMirrors[${index}].mirrors[0]`, message: 'm'.repeat(5000) }),
    );
    const { status } = admissionResponse(reviewed, judgement(findings), 'baseline').response;
    const causes = status?.details.causes.length ?? 0;
    expect(causes).toBeGreaterThan(100);
    expect(status?.message.split('\n').at(-1)).toBe(`  … and ${10_000 - causes} more: run mirrorgate check`);
    expect(JSON.stringify(status).length).toBeLessThan(1024 * 1024);
  });

  it('does not let a name or an exemption break a line', () => {
    const { response } = admissionResponse(
      { ...reviewed, name: 'evil\n  fix: nothing\u001b[2J' },
      judgement([finding()], {
        exempted: [{ finding: finding({ rule: 'mirror-chain' }), exemption: exemption('one\ntwo') }],
      }),
      'baseline',
    );
    expect(response.status?.message.split('\n')).toHaveLength(4);
    expect(response.status?.message).not.toContain('\u001b');
    expect(response.auditAnnotations['exemptions']).toBe(
      'one two (until 2027-02-01T00:00:00.000Z): mirror-chain x1',
    );
  });

  it('records every exemption with what it took out', () => {
    const cache = exemption('pull-through cache');
    const move = exemption('until the registry moves');
    const { auditAnnotations } = admissionResponse(
      reviewed,
      judgement([], {
        exempted: [
          { finding: finding(), exemption: cache },
          { finding: finding({ rule: 'mirror-chain' }), exemption: move },
          { finding: finding(), exemption: cache },
        ],
      }),
      'baseline',
    ).response;
    expect(auditAnnotations['exemptions']).toBe(
      'pull-through cache (until 2027-02-01T00:00:00.000Z): windows-mirror-path x2; ' +
        'until the registry moves (until 2027-02-01T00:00:00.000Z): mirror-chain x1',
    );
  });

  it('names annotations so that the API server takes them', () => {
    const { auditAnnotations } = admissionResponse(
      reviewed,
      judgement([finding(), finding({ action: 'warn' }), finding({ action: 'audit' })], {
        exempted: [{ finding: finding(), exemption: exemption('why') }],
      }),
      'audit',
    ).response;
    expect(Object.keys(auditAnnotations)).toHaveLength(5);
    for (const key of Object.keys(auditAnnotations)) expect(key).toMatch(/^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$/);
  });
});

describe('malformedResponse', () => {
  it('denies with 422 and the field of each fault', () => {
    const faults = [
      { path: 'spec.imageTagMirrors[0].source', message: 'expected string, found number' },
      { path: 'spec.imageTagMirrors[1]', message: 'expected object, found none' },
    ];
    const { response } = malformedResponse(reviewed, faults, 'baseline');
    expect(response.allowed).toBe(false);
    expect(response.status).toMatchObject({ code: 422, reason: 'Invalid' });
    expect(response.status?.message).toBe(
      [
        'ImageTagMirrorSet "tag-mirror" cannot be read: 2 malformed fields',
        '  spec.imageTagMirrors[0].source',
        '    expected string, found number',
        '  spec.imageTagMirrors[1]',
        '    expected object, found none',
      ].join('\n'),
    );
    expect(response.status?.details.causes).toEqual(
      faults.map(({ path, message }) => ({ reason: 'FieldValueInvalid', message, field: path })),
    );
  });
});

describe('waivedResponse', () => {
  it('allows, and says that nothing was checked and why', () => {
    const { response } = waivedResponse(
      reviewed,
      { because: 'it goes away', faults: [{ path: 'spec', message: 'expected object, found string' }] },
      'baseline',
    );
    expect(response.allowed).toBe(true);
    expect(response.warnings).toEqual([
      'the object cannot be read (spec: expected object, found string), so no rule was checked; it is let through since it goes away',
    ]);
    expect(response.auditAnnotations).toEqual({ profile: 'baseline', 'not-checked': 'it goes away' });
  });
});
