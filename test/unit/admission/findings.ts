/** Short ways to write findings, judgements and review requests in tests. */
import type { JsonObject } from '../../../src/admission/parse-admission-review.js';
import type { Judgement } from '../../../src/policy/evaluate.js';
import type { Exemption } from '../../../src/policy/exemption.js';
import type { Finding } from '../../../src/policy/finding.js';

export function finding(overrides: Partial<Finding> = {}): Finding {
  return {
    rule: 'windows-mirror-path',
    action: 'deny',
    kind: 'ImageTagMirrorSet',
    name: 'tag-mirror',
    path: 'spec.imageTagMirrors[0].mirrors[0]',
    message: 'is wrong',
    fix: 'mend it',
    ...overrides,
  };
}

export function judgement(findings: readonly Finding[], rest: Partial<Judgement> = {}): Judgement {
  return {
    allowed: findings.every(({ action }) => action !== 'deny'),
    findings,
    exempted: [],
    notices: [],
    ...rest,
  };
}

export function exemption(reason: string): Exemption {
  return { reason, expires: new Date('2027-02-01T00:00:00Z'), match: { names: ['*'] } };
}

/** An object of one of the two kinds, as JSON. */
export function mirrorSetObject(
  kind: 'ImageDigestMirrorSet' | 'ImageTagMirrorSet',
  name: string,
  entries: readonly object[],
  metadata: object = {},
): JsonObject {
  const field = kind === 'ImageTagMirrorSet' ? 'imageTagMirrors' : 'imageDigestMirrors';
  return {
    apiVersion: 'config.openshift.io/v1',
    kind,
    metadata: { name, ...metadata },
    spec: { [field]: entries },
  };
}

/** A whole AdmissionReview; `request` overrides single fields of it. */
export function reviewOf(object: JsonObject, request: object = {}): JsonObject {
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      kind: { group: 'config.openshift.io', version: 'v1', kind: object['kind'] },
      resource: { group: 'config.openshift.io', version: 'v1', resource: 'imagetagmirrorsets' },
      name: 'tag-mirror',
      operation: 'CREATE',
      userInfo: { username: 'admin', groups: ['system:authenticated'] },
      object,
      oldObject: null,
      dryRun: false,
      ...request,
    },
  };
}
