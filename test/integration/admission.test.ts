import { once } from 'node:events';
import { request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { AdmissionDeps } from '../../src/admission/admission-app.js';
import type { AdmissionReviewResponse } from '../../src/admission/admission-response.js';
import type { JsonObject } from '../../src/admission/parse-admission-review.js';
import { largestManifests, largestReview } from '../../src/admission/read-body.js';
import { indexMirrorSets } from '../../src/mirrors/mirror-set-index.js';
import { defaultPolicy } from '../../src/policy/policy.js';
import { mirrorSetObject, reviewOf } from '../unit/admission/findings.js';
import { idms } from '../unit/mirror-sets.js';
import { readAnswer, startGate, type Answer, type Gate } from './gate.js';

const route = '/validate/mirror-sets';
const uid = '705ab4f5-6393-11e8-b7cc-42010a800002';

/** The two examples of the documentation, one exact and one that is not. */
const exact = mirrorSetObject('ImageDigestMirrorSet', 'exact', [
  { source: 'quay.io/remote-org/image', mirrors: ['mirror.local/remote-org/image'] },
]);
const tagMirror = mirrorSetObject('ImageTagMirrorSet', 'tag-mirror', [
  { source: 'quay.io/remote-org/image', mirrors: ['quay.io/my-org/image'] },
]);

const gates: Gate[] = [];

async function gate(overrides: Partial<AdmissionDeps> = {}): Promise<Gate> {
  const started = await startGate(overrides);
  gates.push(started);
  return started;
}

afterEach(async () => {
  for (const each of gates.splice(0)) await each.stop();
});

function review(to: Gate, object: JsonObject, fields: object = {}): Promise<Answer> {
  return to.send(`${route}?timeout=10s`, JSON.stringify(reviewOf(object, fields)));
}

function responseOf(answer: Answer): AdmissionReviewResponse['response'] {
  expect(answer.status).toBe(200);
  const body = answer.json as AdmissionReviewResponse;
  expect(body).toMatchObject({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' });
  return body.response;
}

function errorOf(answer: Answer): { code: string; message: string } {
  const { error } = answer.json as { error: { code: string; message: string } };
  expect(error.code).toMatch(/^[a-z-]+$/);
  expect(error.message).not.toBe('');
  return error;
}

describe('a review', () => {
  it('allows a set that keeps the rules', async () => {
    const at = await gate();
    expect(responseOf(await review(at, exact))).toEqual({
      uid,
      allowed: true,
      auditAnnotations: { profile: 'baseline' },
    });
    expect(at.reviewed).toMatchObject([
      {
        uid,
        kind: 'ImageDigestMirrorSet',
        name: 'exact',
        operation: 'CREATE',
        outcome: 'allowed',
        dryRun: false,
      },
    ]);
  });

  it('denies with the message that a person acts on, and warns beside it', async () => {
    const at = await gate();
    const response = responseOf(await review(at, tagMirror));
    expect(response.allowed).toBe(false);
    expect(response.status?.message).toBe(
      [
        'ImageTagMirrorSet "tag-mirror" breaks 1 rule (profile baseline)',
        '  windows-mirror-path at spec.imageTagMirrors[0].mirrors[0]',
        '    "quay.io/my-org/image" does not end with "remote-org/image": a Windows node would pull quay.io/my-org/remote-org/image',
        '    fix: use the mirror quay.io/my-org/remote-org/image and copy the image there',
      ].join('\n'),
    );
    expect(response.status).toMatchObject({
      status: 'Failure',
      code: 403,
      reason: 'Forbidden',
      details: {
        name: 'tag-mirror',
        group: 'config.openshift.io',
        kind: 'ImageTagMirrorSet',
        causes: [{ reason: 'windows-mirror-path', field: 'spec.imageTagMirrors[0].mirrors[0]' }],
      },
    });
    expect(response.warnings).toContain(
      'itms-widened-on-windows: spec.imageTagMirrors[0]: on Windows every quay.io tag tries quay.io/my-org first; use an ImageDigestMirrorSet',
    );
    expect(response.auditAnnotations).toMatchObject({
      'denied-rules': 'windows-mirror-path',
      'audited-rules': 'digest-required',
    });
    expect(at.reviewed).toMatchObject([{ outcome: 'denied', findings: [{}, {}, {}, {}] }]);
  });

  it('answers a dry run alike', async () => {
    const at = await gate();
    const real = await review(at, tagMirror);
    const dry = await review(at, tagMirror, { dryRun: true });
    expect(dry.text).toBe(real.text);
    expect(at.reviewed.map(({ dryRun }) => dryRun)).toEqual([false, true]);
  });

  it('is 422 for a reference that is none', async () => {
    const at = await gate();
    const broken = mirrorSetObject('ImageDigestMirrorSet', 'broken', [
      { source: 'https://quay.io/org', mirrors: ['mirror.local/org'] },
    ]);
    expect(responseOf(await review(at, broken)).status).toMatchObject({
      code: 422,
      reason: 'Invalid',
      details: { causes: [{ reason: 'invalid-reference', field: 'spec.imageDigestMirrors[0].source' }] },
    });
  });

  it('only warns on UPDATE of what the old object had, and denies what is new', async () => {
    const at = await gate();
    const more = mirrorSetObject('ImageTagMirrorSet', 'tag-mirror', [
      { source: 'quay.io/remote-org/image', mirrors: ['quay.io/my-org/image'] },
      { source: 'quay.io/other/image', mirrors: ['mirror.local/other/image'] },
    ]);
    const same = responseOf(await review(at, more, { operation: 'UPDATE', oldObject: tagMirror }));
    expect(same.allowed).toBe(true);
    expect(same.warnings?.[0]).toMatch(
      /^windows-mirror-path: spec\.imageTagMirrors\[0\]\.mirrors\[0\] \(was there before\): /,
    );

    const worse = mirrorSetObject('ImageTagMirrorSet', 'tag-mirror', [
      { source: 'quay.io/remote-org/image', mirrors: ['quay.io/my-org/image', 'mirror.local/image'] },
    ]);
    const denied = responseOf(await review(at, worse, { operation: 'UPDATE', oldObject: tagMirror }));
    expect(denied.status?.details.causes).toMatchObject([
      { reason: 'windows-mirror-path', field: 'spec.imageTagMirrors[0].mirrors[1]' },
    ]);
  });

  it('lets a set be deleted, a malformed one too', async () => {
    const at = await gate();
    const fields = { operation: 'DELETE', object: null };
    expect(responseOf(await review(at, tagMirror, { ...fields, oldObject: tagMirror })).allowed).toBe(true);
    const malformed = { ...tagMirror, spec: { imageTagMirrors: [7] } };
    const response = responseOf(await review(at, tagMirror, { ...fields, oldObject: malformed }));
    expect(response.allowed).toBe(true);
    expect(response.warnings).toHaveLength(1);
  });

  it('denies a malformed object as an AdmissionReview, with its fields as causes', async () => {
    const at = await gate();
    const malformed = { ...tagMirror, spec: { imageTagMirrors: [{ source: 7, mirrors: 'one' }] } };
    const response = responseOf(await review(at, malformed));
    expect(response).toMatchObject({ uid, allowed: false, status: { code: 422, reason: 'Invalid' } });
    expect(response.status?.details.causes.map(({ field }) => field)).toEqual([
      'spec.imageTagMirrors[0].source',
      'spec.imageTagMirrors[0].mirrors',
    ]);
  });

  it('judges by the newest policy and mirror sets', async () => {
    let policy = defaultPolicy('baseline');
    let index: ReturnType<AdmissionDeps['index']> = undefined;
    const at = await gate({ policy: () => policy, index: () => index });

    const before = responseOf(await review(at, exact));
    expect(before.allowed).toBe(true);
    expect(before.warnings).toEqual([
      'cluster-wide checks were skipped: the other mirror sets are not known yet',
    ]);

    index = indexMirrorSets([
      idms('rival', [['quay.io/remote-org/image', ['mirror.local/remote-org/image'], 'NeverContactSource']]),
    ]);
    expect(responseOf(await review(at, exact)).auditAnnotations['denied-rules']).toBe(
      'source-policy-conflict',
    );

    policy = defaultPolicy('audit');
    expect(responseOf(await review(at, exact)).allowed).toBe(true);
  });

  it('applies an exemption to the one who asks, and records it', async () => {
    const at = await gate({
      policy: () => ({
        ...defaultPolicy(),
        exemptions: [
          {
            reason: 'oc-mirror writes these',
            expires: new Date('2027-06-01T00:00:00Z'),
            match: { groups: ['mirror-admins'], rules: ['windows-mirror-path'] },
          },
        ],
      }),
    });
    const response = responseOf(
      await review(at, tagMirror, { userInfo: { username: 'ann', groups: ['mirror-admins'] } }),
    );
    expect(response.allowed).toBe(true);
    expect(response.auditAnnotations['exemptions']).toBe(
      'oc-mirror writes these (until 2027-06-01T00:00:00.000Z): windows-mirror-path x1',
    );
    expect(at.reviewed[0]?.exempted).toHaveLength(1);
    expect(responseOf(await review(at, tagMirror)).allowed).toBe(false);
  });
});

describe('a request that is no review', () => {
  const good = JSON.stringify(reviewOf(exact));

  it.each<
    [string, number, string, () => [path: string, body?: string | Buffer, headers?: Record<string, string>]]
  >([
    ['JSON that ends too early', 400, 'malformed-json', () => [route, good.slice(0, -5)]],
    ['JSON with a fault', 400, 'malformed-json', () => [route, '{"a":1,\n  nonsense}']],
    ['bytes that are not UTF-8', 400, 'malformed-text', () => [route, Buffer.from([0x7b, 0xff, 0x7d])]],
    ['no body', 400, 'empty-body', () => [route]],
    ['blanks alone', 400, 'empty-body', () => [route, ' \n ']],
    ['another JSON value', 400, 'not-an-admission-review', () => [route, '[]']],
    [
      'an older version',
      400,
      'unsupported-version',
      () => [route, good.replace('k8s.io/v1"', 'k8s.io/v1beta1"')],
    ],
    [
      'another kind',
      400,
      'unknown-kind',
      () => [route, good.replaceAll('ImageDigestMirrorSet', 'ConfigMap')],
    ],
    ['another operation', 400, 'invalid-review', () => [route, good.replace('"CREATE"', '"CONNECT"')]],
    [
      'another Content-Type',
      415,
      'unsupported-media-type',
      () => [route, good, { 'Content-Type': 'text/plain' }],
    ],
    [
      'another charset',
      415,
      'unsupported-media-type',
      () => [route, good, { 'Content-Type': 'application/json; charset=utf-16' }],
    ],
    [
      'an encoding it does not know',
      415,
      'unsupported-media-type',
      () => [route, good, { 'Content-Encoding': 'x' }],
    ],
    ['a body that does not unpack', 400, 'bad-request', () => [route, good, { 'Content-Encoding': 'gzip' }]],
    ['a timeout that is none', 400, 'invalid-parameter', () => [`${route}?timeout=soon`, good]],
    ['two timeouts', 400, 'invalid-parameter', () => [`${route}?timeout=1s&timeout=2s`, good]],
    ['no time to answer in', 504, 'deadline-exceeded', () => [`${route}?timeout=0s`, good]],
    ['a body that is too large', 413, 'body-too-large', () => [route, Buffer.alloc(largestReview + 1, ' ')]],
    [
      'a small body that unpacks to one that is too large',
      413,
      'body-too-large',
      () => [route, gzipSync(Buffer.alloc(largestReview + 1, ' ')), { 'Content-Encoding': 'gzip' }],
    ],
    ['a route that is not there', 404, 'not-found', () => ['/validate', good]],
  ])('is refused as JSON: %s', async (_, status, code, make) => {
    const at = await gate();
    const [path, body, headers] = make();
    const answer = await at.send(path, body, { ...(headers && { headers }) });
    expect(answer.status).toBe(status);
    expect(errorOf(answer).code).toBe(code);
    expect(at.refused).toEqual([code]);
    expect(at.reviewed).toEqual([]);
    expect(at.faults).toEqual([]);
  });

  it.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'])('is a 405 with Allow: %s', async (method) => {
    const at = await gate();
    for (const path of [route, '/check']) {
      const answer = await at.send(path, undefined, { method });
      expect(answer.status).toBe(405);
      expect(answer.headers.allow).toBe('POST');
      if (method !== 'HEAD') expect(errorOf(answer).code).toBe('method-not-allowed');
    }
  });

  it('tells the place of a JSON fault and nothing of what stands there', async () => {
    const at = await gate();
    const answer = await at.send(route, '{\n  "password": "hunter2" hunter3 }');
    expect(errorOf(answer).message).toBe('the body is not JSON: fault at line 2, column 25');
    expect(answer.text).not.toContain('hunter');
    const token = await at.send(route, '{"password": hunter2 }');
    expect(errorOf(token).message).toBe('the body is not JSON');
  });

  it('takes a review right up to the largest body', async () => {
    const at = await gate();
    const padded = good.padEnd(largestReview, ' ');
    expect(responseOf(await at.send(route, padded)).allowed).toBe(true);
  });

  it('never becomes an allowed one, whatever the JSON', async () => {
    const at = await gate();
    await fc.assert(
      fc.asyncProperty(
        fc.jsonValue(),
        fc.constantFrom('uid', 'kind', 'operation', 'object'),
        async (value, field) => {
          fc.pre(field !== 'uid' || typeof value !== 'string' || value === '');
          const answer = await at.send(route, JSON.stringify(reviewOf(exact, { [field]: value })));
          if (answer.status === 200) expect(responseOf(answer).allowed).toBe(false);
          else expect(answer.status).toBe(400);
        },
      ),
      { numRuns: 200 },
    );
    expect(at.faults).toEqual([]);
  });
});

describe('a fault of mirrorgate', () => {
  it('is a 500 that tells nothing, and is counted', async () => {
    const at = await gate({
      insecure: () => {
        throw new Error('the secret reason');
      },
    });
    for (const path of [route, '/check']) {
      const answer = await at.send(path, JSON.stringify(path === route ? reviewOf(exact) : exact));
      expect(answer.status).toBe(500);
      expect(errorOf(answer).code).toBe('internal');
      expect(answer.text).not.toMatch(/secret|stack|at /);
    }
    expect(at.faults).toMatchObject([{ message: 'the secret reason' }, { message: 'the secret reason' }]);
    expect(at.reviewed).toEqual([]);
  });

  it('in an observer changes no answer', async () => {
    const faults: unknown[] = [];
    const broken = () => {
      throw new Error('the log is full');
    };
    const at = await gate({
      observer: {
        onReviewed: broken,
        onRefused: broken,
        onInternalFault: (error) => {
          faults.push(error);
          throw new Error('this one too');
        },
      },
    });
    expect(responseOf(await review(at, exact)).allowed).toBe(true);
    expect((await at.send(route, 'x')).status).toBe(400);
    await vi.waitFor(() => {
      expect(faults).toHaveLength(2);
    });
  });

  it('is not what very deep JSON makes', async () => {
    const at = await gate();
    const depth = 200_000;
    const deep = `${'['.repeat(depth)}${']'.repeat(depth)}`;
    expect(errorOf(await at.send(route, deep)).code).toBe('not-an-admission-review');
    const inside = JSON.stringify(reviewOf({ ...exact, deep: 'HERE' })).replace('"HERE"', deep);
    expect(responseOf(await at.send(route, inside)).allowed).toBe(true);
  });
});

describe('a deadline', () => {
  it('ends the wait for a body that trickles in, and the connection', async () => {
    const at = await gate();
    const outgoing = request({
      ...at.target,
      path: `${route}?timeout=300ms`,
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Content-Length': '100000' },
    });
    outgoing.on('error', () => undefined);
    const trickle = setInterval(() => outgoing.write(' '), 10);
    try {
      const answer = await readAnswer(outgoing);
      expect(answer.status).toBe(408);
      expect(errorOf(answer).code).toBe('body-timeout');
      expect(answer.headers.connection).toBe('close');
    } finally {
      clearInterval(trickle);
      outgoing.destroy();
    }
    expect(at.refused).toEqual(['body-timeout']);
    expect(responseOf(await review(at, exact)).allowed).toBe(true);
  });

  it('that passes during the judgement makes a 504, never an answer that nobody waits for', async () => {
    let now = 0;
    const at = await gate({
      clock: () => now,
      index: () => {
        now += 20_000;
        return undefined;
      },
    });
    const answer = await review(at, exact);
    expect(answer.status).toBe(504);
    expect(errorOf(answer).code).toBe('deadline-exceeded');
    expect(at.reviewed).toEqual([]);
  });
});

describe('load', () => {
  it('of a thousand requests at once is answered without an error', async () => {
    const at = await gate();
    const answers = await Promise.all(
      Array.from({ length: 1000 }, (_, index) =>
        review(at, index % 2 === 0 ? exact : tagMirror, { uid: `uid-${index}` }),
      ),
    );
    for (const [index, answer] of answers.entries()) {
      expect(responseOf(answer)).toMatchObject({ uid: `uid-${index}`, allowed: index % 2 === 0 });
    }
    expect(at.reviewed).toHaveLength(1000);
    expect(at.faults).toEqual([]);
  });

  it('of ten reviews of ten thousand entries in 3 MiB at once is answered right', async () => {
    // The deadline is tested by itself: here a slow machine must not decide.
    const at = await gate({ clock: () => 0 });
    const padding = 'p'.repeat(100);
    const entries = Array.from({ length: 10_000 }, (_, index) => ({
      source: `quay.io/org-${index}/${padding}`,
      mirrors: [`mirror.local/org-${index}/${padding}`],
    }));
    const spoilt = entries.with(9_999, { source: 'quay.io/org/image', mirrors: ['mirror.local/image'] });
    const bodies = [entries, spoilt].map((each) =>
      JSON.stringify(reviewOf(mirrorSetObject('ImageDigestMirrorSet', 'big', each))),
    );
    expect(bodies[0]!.length).toBeGreaterThan(2.5 * 1024 * 1024);

    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => at.send(`${route}?timeout=30s`, bodies[index % 2])),
    );
    expect(answers.map((answer) => responseOf(answer).allowed)).toEqual(
      Array.from({ length: 10 }, (_, index) => index % 2 === 0),
    );
    expect(responseOf(answers[1]!).status?.details.causes[0]?.field).toBe(
      'spec.imageDigestMirrors[9999].mirrors[0]',
    );
  }, 120_000);

  it('that goes away in the middle of a body leaves no trace but a refusal', async () => {
    const at = await gate();
    const started = Array.from({ length: 20 }, () => {
      const outgoing = request({
        ...at.target,
        path: route,
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'Content-Length': '100000' },
      });
      outgoing.on('error', () => undefined);
      outgoing.write('{"apiVersion"');
      return outgoing;
    });
    await Promise.all(
      started.map(async (outgoing) => {
        const [socket] = (await once(outgoing, 'socket')) as [NodeJS.EventEmitter];
        await once(socket, 'secureConnect');
        // Long enough for the first bytes to be on their way; what matters is checked below.
        await delay(20);
        outgoing.destroy();
      }),
    );
    await vi.waitFor(
      () => {
        expect(at.refused.length).toBeGreaterThan(0);
      },
      { timeout: 5_000 },
    );
    expect(new Set(at.refused)).toEqual(new Set(['body-incomplete']));
    expect(at.faults).toEqual([]);
    expect(responseOf(await review(at, exact)).allowed).toBe(true);
  });
});

describe('POST /check', () => {
  const yaml = `apiVersion: config.openshift.io/v1
kind: ImageTagMirrorSet
metadata:
  name: tag-mirror
spec:
  imageTagMirrors:
  - source: quay.io/remote-org/image
    mirrors:
    - quay.io/my-org/image
---
apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata:
  name: exact
spec:
  imageDigestMirrors:
  - source: registry.example.com:5000/org/image
    mirrors: [mirror.local/org/image]
`;

  async function check(at: Gate, body: string, type = 'application/yaml', query = ''): Promise<Answer> {
    return at.send(`/check${query}`, body, { headers: { 'Content-Type': type } });
  }

  it('answers findings, summary and a preview of the sets that nothing denies', async () => {
    const at = await gate();
    const { status, json } = await check(at, yaml);
    expect(status).toBe(200);
    const answer = json as {
      findings: object[];
      summary: object;
      preview: { path: string; content: string }[];
    };
    expect(Object.keys(answer)).toEqual(['findings', 'summary', 'preview']);
    expect(answer.summary).toMatchObject({ deny: 1, sets: 2 });
    expect(answer.findings).toContainEqual({
      rule: 'windows-mirror-path',
      action: 'deny',
      kind: 'ImageTagMirrorSet',
      name: 'tag-mirror',
      path: 'spec.imageTagMirrors[0].mirrors[0]',
      message: expect.stringContaining('; use the mirror quay.io/my-org/remote-org/image') as string,
      suggestion: 'quay.io/my-org/remote-org/image',
      source: { file: 'request', line: 9 },
    });
    expect(answer.preview.map(({ path }) => path)).toEqual(['registry.example.com_5000_/hosts.toml']);
    expect(answer.preview[0]?.content).toContain('[host."https://mirror.local/v2"]');
  });

  it.each(['application/yaml', 'text/yaml', 'application/x-yaml', 'text/plain', 'text/plain; charset=UTF-8'])(
    'takes %s',
    async (type) => {
      const at = await gate();
      expect((await check(at, yaml, type)).json).toMatchObject({ summary: { sets: 2 } });
    },
  );

  it('takes a body without a Content-Type, and JSON', async () => {
    const at = await gate();
    const outgoing = request({ ...at.target, path: '/check', method: 'POST' });
    outgoing.end(yaml);
    expect((await readAnswer(outgoing)).json).toMatchObject({ summary: { sets: 2 } });
    const json = await check(at, JSON.stringify(exact), 'application/json');
    expect(json.json).toMatchObject({ summary: { deny: 0, sets: 1 } });
  });

  it('names the manifests as asked', async () => {
    const at = await gate();
    const { json } = await check(at, yaml, 'text/yaml', '?file=deploy%2Fmirrors.yaml');
    expect(json).toMatchObject({ findings: [{ source: { file: 'deploy/mirrors.yaml' } }, {}, {}, {}] });
  });

  it('judges the manifests by themselves, or beside the mirror sets in force', async () => {
    const index = indexMirrorSets([
      idms('rival', [
        ['registry.example.com:5000/org/image', ['mirror.local/org/image'], 'NeverContactSource'],
      ]),
    ]);
    const at = await gate({ index: () => index });
    const rules = async (query: string) => {
      const { json } = await check(at, yaml, 'text/yaml', query);
      return (json as { findings: { rule: string }[] }).findings.map(({ rule }) => rule);
    };
    expect(await rules('')).not.toContain('source-policy-conflict');
    expect(await rules('?cluster=true')).toContain('source-policy-conflict');
    expect((await check(at, yaml, 'text/yaml', '?cluster=maybe')).status).toBe(400);
  });

  it('says that the cluster is not known yet where it was asked for', async () => {
    const at = await gate({ index: () => undefined });
    const { json } = await check(at, yaml, 'text/yaml', '?cluster=true');
    expect(json).toMatchObject({ notices: ['the mirror sets of the cluster are not known yet'] });
  });

  it('refuses manifests of which none can be read, with the place of each fault', async () => {
    const at = await gate();
    const answer = await check(
      at,
      `a: [1\n---\n${yaml.split('---')[0]!.replace('quay.io/remote-org/image', '7')}`,
    );
    expect(answer.status).toBe(422);
    expect(answer.json).toMatchObject({
      error: {
        code: 'invalid-manifests',
        faults: [
          {
            source: {
              file: 'request',
              line: expect.any(Number) as number,
              column: expect.any(Number) as number,
            },
          },
          {
            message: 'spec.imageTagMirrors[0].source: expected string, found number',
            source: { line: 9, column: 13 },
          },
        ],
      },
    });
  });

  it('judges what can be read beside what cannot', async () => {
    const at = await gate();
    const { status, json } = await check(at, `${yaml}---\na: [1\n`);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      summary: { sets: 2 },
      faults: [{ source: { line: expect.any(Number) as number } }],
    });
  });

  it('renders what the manifests list as insecure', async () => {
    const at = await gate();
    const image = {
      apiVersion: 'config.openshift.io/v1',
      kind: 'Image',
      metadata: { name: 'cluster' },
      spec: { registrySources: { insecureRegistries: ['mirror.local', 'not a registry'] } },
    };
    const { json } = await check(at, `${yaml}---\n${JSON.stringify(image)}\n`);
    const { preview, notices } = json as { preview: { content: string }[]; notices: string[] };
    expect(preview[0]?.content).toContain('[host."http://mirror.local/v2"]');
    expect(notices).toEqual([expect.stringContaining('"not a registry"')]);
  });

  it('never answers with a credential, not even one that it was sent', async () => {
    const at = await gate();
    const auth = Buffer.from('robot:correct-horse').toString('base64');
    const config = Buffer.from(JSON.stringify({ auths: { 'mirror.local': { auth } } })).toString('base64');
    const secret = `apiVersion: v1\nkind: Secret\nmetadata:\n  name: pull-secret\ndata:\n  .dockerconfigjson: ${config}\n`;
    const answer = await check(at, `${yaml}---\n${secret}`);
    expect(answer.json).toMatchObject({
      preview: [{}],
      skipped: [{ kind: 'Secret', name: 'pull-secret', source: { file: 'request', line: 20 } }],
    });
    for (const text of [auth, config, 'correct-horse', 'Authorization', 'Basic']) {
      expect(answer.text).not.toContain(text);
    }
  });

  it.each<[string, string, string, number]>([
    ['nothing', '', 'text/yaml', 400],
    ['an archive', yaml, 'application/gzip', 415],
    ['a scalar', 'hello', 'text/plain', 422],
  ])('refuses %s', async (_, body, type, status) => {
    const at = await gate();
    const answer = await check(at, body, type);
    expect(answer.status).toBe(status);
    errorOf(answer);
  });

  it('refuses manifests that are larger than an object may be', async () => {
    const at = await gate();
    const fits = await check(at, yaml.padEnd(largestManifests, '\n'));
    expect(fits.status).toBe(200);
    expect(errorOf(await check(at, yaml.padEnd(largestManifests + 1, '\n'))).code).toBe('body-too-large');
  });

  it('lets other work go first between sets, and ends at its deadline', async () => {
    const sets = 50;
    let now = 0;
    let looked = 0;
    let lookedBeforeOtherWork: number | undefined;
    const at = await gate({
      clock: () => now,
      // Asked for every mirror of every set that is judged.
      insecure: () => ({
        includes: () => {
          if (looked === 0) {
            setImmediate(() => {
              lookedBeforeOtherWork = looked;
            });
          }
          looked += 1;
          if (looked === sets) now = 60_000;
          return false;
        },
      }),
    });
    const many = Array.from({ length: sets }, (_, index) => yaml.replaceAll('name: ', `name: s${index}-`));
    const answer = await check(at, many.join('---\n'), 'text/yaml', '?timeout=5s');
    expect(answer.status).toBe(504);
    expect(errorOf(answer).code).toBe('deadline-exceeded');
    expect(lookedBeforeOtherWork).toBeGreaterThan(0);
    expect(lookedBeforeOtherWork).toBeLessThan(sets);
    // Two sets in each manifest, a mirror or more in each: it stopped long before the last.
    expect(looked).toBeLessThan(2 * sets);
  });

  it('answers a hundred checks at once', async () => {
    const at = await gate();
    const answers = await Promise.all(Array.from({ length: 100 }, () => check(at, yaml)));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers[0]?.json).toMatchObject({ summary: { sets: 2 } });
  });

  it('survives manifests that are made to hurt', async () => {
    const at = await gate();
    const laughs = `a: &a [x,x,x,x,x,x,x,x,x]\n${Array.from(
      { length: 12 },
      (_, index) =>
        `${'bcdefghijklm'[index]!}: &${'bcdefghijklm'[index]!} [${Array(9)
          .fill(`*${'abcdefghijkl'[index]!}`)
          .join(',')}]\n`,
    ).join('')}kind: X\n`;
    for (const body of [
      laughs,
      '['.repeat(100_000),
      `${'- '.repeat(50_000)}x`,
      '&'.repeat(1000),
      '!!js/function x',
    ]) {
      const answer = await check(at, body);
      expect([200, 422]).toContain(answer.status);
    }
    expect(at.faults).toEqual([]);
  });
});
