import { describe, expect, it } from 'vitest';
import type { JsonObject, ReviewRequest } from '../../../src/admission/parse-admission-review.js';
import { toReview } from '../../../src/admission/to-review.js';
import { mirrorSetObject } from './findings.js';

const good = mirrorSetObject('ImageTagMirrorSet', 'set', [{ source: 'quay.io/a/b', mirrors: ['m.io/a/b'] }]);
const malformed: JsonObject = { ...good, spec: { imageTagMirrors: [{ source: 7 }] } };
const deletionTimestamp = '2026-11-24T07:00:00Z';

function request(fields: Partial<ReviewRequest>): ReviewRequest {
  return {
    uid: 'u',
    kind: 'ImageTagMirrorSet',
    operation: 'CREATE',
    name: 'set',
    dryRun: false,
    requester: undefined,
    object: undefined,
    oldObject: undefined,
    ...fields,
  };
}

describe('toReview', () => {
  it('reads the object, and the old one on UPDATE', () => {
    const read = toReview(request({ operation: 'UPDATE', object: good, oldObject: good }));
    expect(read).toMatchObject({
      type: 'review',
      review: { operation: 'UPDATE', set: { name: 'set' }, old: { name: 'set' } },
    });
  });

  it('reads the object that goes away on DELETE', () => {
    expect(toReview(request({ operation: 'DELETE', oldObject: good }))).toMatchObject({
      type: 'review',
      review: { operation: 'DELETE', set: { name: 'set' } },
    });
  });

  it('finds a malformed object at its field', () => {
    expect(toReview(request({ object: malformed }))).toEqual({
      type: 'malformed',
      faults: [{ path: 'spec.imageTagMirrors[0].source', message: 'expected string, found number' }],
    });
  });

  it('never blocks a deletion', () => {
    expect(toReview(request({ operation: 'DELETE', oldObject: malformed }))).toMatchObject({
      type: 'waived',
      because: 'it goes away',
    });
  });

  it('judges an update of a malformed object without an old one to compare with', () => {
    const read = toReview(request({ operation: 'UPDATE', object: good, oldObject: malformed }));
    expect(read.type).toBe('review');
    expect(read).not.toHaveProperty('review.old');
  });

  it('denies an update that makes an object malformed, or leaves it so in another way', () => {
    expect(toReview(request({ operation: 'UPDATE', object: malformed, oldObject: good })).type).toBe(
      'malformed',
    );
    const otherwise = { ...good, spec: { imageTagMirrors: 'none' } };
    expect(toReview(request({ operation: 'UPDATE', object: malformed, oldObject: otherwise })).type).toBe(
      'malformed',
    );
  });

  it('lets metadata of a malformed object change', () => {
    const labelled = { ...malformed, metadata: { name: 'set', labels: { team: 'a' } } };
    expect(toReview(request({ operation: 'UPDATE', object: labelled, oldObject: malformed }))).toMatchObject({
      type: 'waived',
      because: 'its spec does not change',
    });
  });

  it('lets a malformed object that is being deleted lose its finalizers', () => {
    const deleting = { ...malformed, metadata: { name: 'set', deletionTimestamp } };
    const other = { ...deleting, spec: {}, metadata: { name: 'set', deletionTimestamp, labels: 'none' } };
    expect(toReview(request({ operation: 'UPDATE', object: other, oldObject: deleting }))).toMatchObject({
      type: 'waived',
      because: 'it is being deleted',
    });
    const claimed = request({ operation: 'UPDATE', object: other, oldObject: malformed });
    expect(toReview(claimed).type).toBe('malformed');
  });

  it('judges the end of an object whose old state is malformed as no change', () => {
    const deleting = { ...good, metadata: { name: 'set', deletionTimestamp } };
    const read = toReview(request({ operation: 'UPDATE', object: deleting, oldObject: malformed }));
    expect(read).toMatchObject({ type: 'review', review: { old: { name: 'set', deleting: true } } });
  });
});
