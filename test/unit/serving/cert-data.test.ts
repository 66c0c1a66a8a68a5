import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { certDataKeys, certDataOf, parseCertData, type CertData } from '../../../src/serving/cert-data.js';
import { carryOut, firstState, type RenewalRules } from '../../../src/serving/cert-renewal.js';
import type { CertState } from '../../../src/serving/cert-state.js';
import { readBundle } from '../../../src/serving/pem-bundle.js';

const day = 86_400_000;
const now = Date.parse('2031-05-06T07:08:09.123Z');
const rules: RenewalRules = {
  hosts: ['gate.test.svc'],
  lives: { ca: 300 * day, leaf: 90 * day },
  propagationMs: 60_000,
};

/** A signing authority, a next one and a retired one. */
let full: CertState;
let first: CertState;
let other: CertState;
beforeAll(async () => {
  first = await firstState(now, rules);
  other = await firstState(now, rules);
  const prepared = await carryOut({ kind: 'prepare-ca' }, first, now, rules);
  const promoted = await carryOut({ kind: 'promote-ca' }, prepared, now, rules);
  full = await carryOut({ kind: 'prepare-ca' }, promoted, now, rules);
}, 60_000);

describe('certDataOf', () => {
  it('holds the bundle with the newest authority first, and a value for every key', () => {
    const data = certDataOf(full);
    expect(Object.keys(data)).toEqual([...certDataKeys]);
    expect(readBundle(data['ca.crt']).certs).toEqual([full.next?.cert, full.ca.cert, first.ca.cert]);
    expect(certDataOf(first)['next-ca.key']).toBe('');
  });

  it('is read back as the same state', () => {
    for (const state of [first, full])
      expect(parseCertData(certDataOf(state))).toEqual({ kind: 'sound', state });
  });
});

describe('parseCertData', () => {
  it.each([
    ['no data at all', {}],
    ['the empty values that a Secret of its type has to have', { 'tls.crt': '', 'tls.key': '' }],
    ['only keys of somebody else', { 'service.beta.openshift.io/x': 'y' }],
  ])('takes %s for a Secret that waits to be filled', (_, data) => {
    expect(parseCertData(data)).toEqual({ kind: 'empty' });
  });

  it('reads expired certificates: they are for renewal', async () => {
    const old = await firstState(Date.parse('2001-01-01T00:00:00Z'), rules);
    expect(parseCertData(certDataOf(old))).toEqual({ kind: 'sound', state: old });
  });

  it('bears text around the certificates, other line ends and other keys', () => {
    const data = certDataOf(full);
    const noisy = { ...data, extra: 'x', 'ca.crt': `# ours\n${data['ca.crt'].replaceAll('\n', '\r\n')}` };
    expect(parseCertData(noisy)).toEqual({ kind: 'sound', state: full });
  });

  const cases: [string, (data: CertData) => Record<string, string>, string][] = [
    ['no certificate', (data) => ({ ...data, 'tls.crt': '' }), 'tls.crt is missing'],
    ['no authority key', (data) => ({ ...data, 'ca.key': '' }), 'ca.key is missing'],
    ['no bundle', (data) => ({ ...data, 'ca.crt': '' }), 'ca.crt is missing'],
    [
      'a bundle without certificates',
      (data) => ({ ...data, 'ca.crt': 'x' }),
      'ca.crt holds no readable PEM certificates',
    ],
    [
      'a broken certificate in the bundle',
      (data) => ({
        ...data,
        'ca.crt': `${data['ca.crt']}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
      }),
      'ca.crt holds no readable PEM certificates',
    ],
    [
      'a leaf in the bundle',
      (data) => ({ ...data, 'ca.crt': data['ca.crt'] + data['tls.crt'] }),
      'ca.crt holds a certificate that is no authority',
    ],
    [
      'a certificate that is none',
      (data) => ({ ...data, 'tls.crt': 'x' }),
      'tls.crt holds no readable PEM certificate',
    ],
    [
      'a key that is none',
      (data) => ({ ...data, 'tls.key': 'x' }),
      'tls.key holds no readable PEM private key',
    ],
    [
      'a key of another certificate',
      (data) => ({ ...data, 'tls.key': other.leaf.key }),
      'tls.key is not the private key of tls.crt',
    ],
    [
      'an authority key that is none',
      (data) => ({ ...data, 'ca.key': 'x' }),
      'ca.key is not the private key of an authority in ca.crt',
    ],
    [
      'a key of an authority that is not in the bundle',
      (data) => ({ ...data, 'ca.key': other.ca.key }),
      'ca.key is not the private key of an authority in ca.crt',
    ],
    [
      'a leaf of another authority',
      (data) => ({ ...data, 'tls.crt': other.leaf.cert, 'tls.key': other.leaf.key }),
      'tls.crt is not signed by the authority of ca.key',
    ],
    [
      'a next key of no authority',
      (data) => ({ ...data, 'next-ca.key': other.ca.key }),
      'next-ca.key is not the private key of another authority in ca.crt',
    ],
    [
      'the same authority twice',
      (data) => ({ ...data, 'next-ca.key': data['ca.key'] }),
      'next-ca.key is not the private key of another authority in ca.crt',
    ],
    [
      'an authority that nothing accounts for',
      (data) => ({ ...data, 'ca.crt': data['ca.crt'] + other.ca.cert }),
      'retired.json does not say until when each further authority in ca.crt is kept',
    ],
    [
      'no dates of retired authorities',
      (data) => ({ ...data, 'retired.json': '' }),
      'retired.json does not say until when each further authority in ca.crt is kept',
    ],
    [
      'dates that are none',
      (data) => ({ ...data, 'retired.json': data['retired.json'].replace(/:"[^"]*"/, ':"soon"') }),
      'retired.json does not say until when each further authority in ca.crt is kept',
    ],
  ];
  it.each(cases)('refuses %s, and names the key', (_, spoil, reason) => {
    expect(parseCertData(spoil(certDataOf(full)))).toMatchObject({ kind: 'unusable', reason });
  });

  it('tells which authorities can still be read', () => {
    const data = { ...certDataOf(full), 'ca.key': '', 'tls.key': 'x' };
    expect(parseCertData(data)).toMatchObject({
      kind: 'unusable',
      authorities: readBundle(data['ca.crt']).certs,
    });
  });

  it('never throws and never quotes content, whatever is cut out of any value', () => {
    const data = certDataOf(full);
    fc.assert(
      fc.property(
        fc.constantFrom(...certDataKeys),
        fc.nat({ max: 3_000 }),
        fc.nat({ max: 200 }),
        fc.string({ maxLength: 20 }),
        (key, from, length, instead) => {
          const value = data[key];
          const spoilt = value.slice(0, from) + instead + value.slice(from + length);
          const parsed = parseCertData({ ...data, [key]: spoilt });
          if (parsed.kind !== 'unusable') return;
          expect(parsed.reason).toMatch(/^[a-z.-]+ (is|holds|does)[a-zA-Z .-]+$/);
        },
      ),
      { numRuns: 200 },
    );
  });
});
