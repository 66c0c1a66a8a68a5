import { beforeAll, describe, expect, it } from 'vitest';
import { isSameBundle, readBundle, writeBundle } from '../../../src/serving/pem-bundle.js';
import { createCa } from '../../../src/serving/self-signed.js';

let one: string;
let two: string;
beforeAll(async () => {
  const make = () => createCa({ now: new Date(), lifeMs: 3_600_000, name: 'test' });
  [one, two] = (await Promise.all([make(), make()])).map(({ cert }) => cert) as [string, string];
}, 60_000);

describe('readBundle', () => {
  it('reads each certificate once, in order, whatever stands around it and however its lines are broken', () => {
    const unwrapped = one.replace(/(\S{64})\n/g, '$1');
    expect(readBundle(`# two\n${two}noise${unwrapped}\r\n${one.replaceAll('\n', '\r\n')}`)).toEqual({
      certs: [two, one],
      broken: 0,
    });
  });

  it('counts blocks that hold no certificate, and reads the rest', () => {
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    expect(readBundle(one + broken + two)).toEqual({ certs: [one, two], broken: 1 });
  });

  it.each(['', 'text', '-----BEGIN CERTIFICATE-----\nAAAA', '-----BEGIN PRIVATE KEY-----\nAAAA'])(
    'finds nothing in %j',
    (text) => {
      expect(readBundle(text)).toEqual({ certs: [], broken: 0 });
    },
  );

  it('takes linear time for what never ends', () => {
    const text = '-----BEGIN CERTIFICATE-----\n'.repeat(100_000);
    expect(readBundle(text).certs).toEqual([]);
  });
});

describe('writeBundle', () => {
  it('is read back, each certificate once', () => {
    expect(readBundle(writeBundle([one, two, one])).certs).toEqual([one, two]);
  });
});

describe('isSameBundle', () => {
  it('looks at the certificates alone', () => {
    expect(isSameBundle(one + two, `x\n${two}\n\n${one}${one}`)).toBe(true);
    expect(isSameBundle(one + two, one)).toBe(false);
    expect(isSameBundle(one, two)).toBe(false);
    expect(isSameBundle('', 'x')).toBe(true);
  });
});
