import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAdmissionReview } from '../../../src/admission/parse-admission-review.js';
import { mirrorSetObject, reviewOf } from './findings.js';

const set = mirrorSetObject('ImageTagMirrorSet', 'tag-mirror', []);

describe('parseAdmissionReview', () => {
  it('reads what is asked and by whom', () => {
    const parsed = parseAdmissionReview(reviewOf(set, { dryRun: true }));
    expect(parsed).toEqual({
      ok: true,
      value: {
        uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
        kind: 'ImageTagMirrorSet',
        operation: 'CREATE',
        name: 'tag-mirror',
        dryRun: true,
        requester: { name: 'admin', groups: ['system:authenticated'] },
        object: set,
        oldObject: undefined,
      },
    });
  });

  it.each([
    ['CREATE', { oldObject: null }],
    ['UPDATE', { oldObject: set }],
    ['DELETE', { object: null, oldObject: set }],
  ])('takes %s with the objects it carries', (operation, objects) => {
    expect(parseAdmissionReview(reviewOf(set, { operation, ...objects }))).toMatchObject({ ok: true });
  });

  it.each<[string, unknown, string, string]>([
    ['no object', [], 'not-an-admission-review', 'expected an AdmissionReview, found an array'],
    ['null', null, 'not-an-admission-review', 'expected an AdmissionReview, found null'],
    [
      'another kind',
      { ...reviewOf(set), kind: 'Review' },
      'not-an-admission-review',
      'kind: expected AdmissionReview, found "Review"',
    ],
    [
      'another version',
      { ...reviewOf(set), apiVersion: 'admission.k8s.io/v1beta1' },
      'unsupported-version',
      'apiVersion: expected admission.k8s.io/v1, found "admission.k8s.io/v1beta1"',
    ],
    [
      'no request',
      { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' },
      'invalid-review',
      'request: expected object, found none',
    ],
    [
      'no uid',
      reviewOf(set, { uid: undefined }),
      'invalid-review',
      'request.uid: expected string, found none',
    ],
    [
      'another group',
      reviewOf(set, { kind: { group: 'apps', version: 'v1', kind: 'ImageTagMirrorSet' } }),
      'unknown-kind',
      'request.kind.group: expected config.openshift.io, found "apps"',
    ],
    [
      'a kind it does not know',
      reviewOf(set, { kind: { group: 'config.openshift.io', version: 'v1', kind: 'Image' } }),
      'unknown-kind',
      'request.kind.kind: expected ImageDigestMirrorSet or ImageTagMirrorSet, found "Image"',
    ],
    [
      'an operation it does not know',
      reviewOf(set, { operation: 'CONNECT' }),
      'invalid-review',
      'request.operation: expected CREATE, UPDATE, DELETE, found "CONNECT"',
    ],
    [
      'no object on CREATE',
      reviewOf(set, { object: null }),
      'invalid-review',
      'request.object: expected an object, which CREATE needs, found null',
    ],
    [
      'no old object on UPDATE',
      reviewOf(set, { operation: 'UPDATE' }),
      'invalid-review',
      'request.oldObject: expected an object, which UPDATE needs, found null',
    ],
    [
      'no old object on DELETE',
      reviewOf(set, { operation: 'DELETE', oldObject: undefined }),
      'invalid-review',
      'request.oldObject: expected an object, which DELETE needs, found none',
    ],
    [
      'an object of the other kind',
      reviewOf(mirrorSetObject('ImageDigestMirrorSet', 'x', []), {
        kind: { group: 'config.openshift.io', version: 'v1', kind: 'ImageTagMirrorSet' },
      }),
      'invalid-review',
      'request.object.kind: expected ImageTagMirrorSet as in request.kind, found "ImageDigestMirrorSet"',
    ],
    [
      'an object of another version',
      reviewOf({ ...set, apiVersion: 'config.openshift.io/v2' }),
      'invalid-review',
      'request.object.apiVersion: expected config.openshift.io/v1 as in request.kind, found "config.openshift.io/v2"',
    ],
    [
      'groups that are no list',
      reviewOf(set, { userInfo: { username: 'a', groups: 'b' } }),
      'invalid-review',
      'request.userInfo.groups: expected array, found string',
    ],
  ])('refuses %s with the exact field', (_, body, code, message) => {
    expect(parseAdmissionReview(body)).toMatchObject({ ok: false, refusal: { code, message } });
  });

  it('lists every fault of a review that has several', () => {
    const parsed = parseAdmissionReview(reviewOf(set, { uid: 7, operation: 'PATCH' }));
    expect(parsed).toMatchObject({
      ok: false,
      refusal: {
        message: 'request.uid: expected string, found number (and 1 more)',
        faults: [{ path: 'request.uid' }, { path: 'request.operation' }],
      },
    });
  });

  it('takes no value for a review that is none', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(parseAdmissionReview(value).ok).toBe(false);
        expect(parseAdmissionReview({ ...reviewOf(set), request: value }).ok).toBe(false);
        expect(parseAdmissionReview(reviewOf(set, { operation: value })).ok).toBe(false);
      }),
    );
  });
});
