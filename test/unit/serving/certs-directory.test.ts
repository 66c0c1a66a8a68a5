import { X509Certificate } from 'node:crypto';
import { copyFile, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeDevelopmentCerts } from '../../../src/serving/certs-directory.js';
import { loadCerts } from '../../../src/serving/load-certs.js';
import { ServingError } from '../../../src/serving/serving-error.js';
import { temporaryDirectory } from './temporary-directory.js';

const now = new Date('2031-01-01T00:00:00Z');
const inTwoYears = new Date('2033-01-01T00:00:00Z');
const inTwentyYears = new Date('2051-01-01T00:00:00Z');

async function contents(directory: string): Promise<Record<string, string>> {
  const names = (await readdir(directory)).sort();
  return Object.fromEntries(
    await Promise.all(
      names.map(async (name) => [name, await readFile(join(directory, name), 'utf8')] as const),
    ),
  );
}

async function refusal(directory: string, at = now): Promise<ServingError> {
  const before = await contents(directory);
  const error: unknown = await writeDevelopmentCerts(directory, { now: at }).catch(
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(ServingError);
  expect(error).toMatchObject({
    code: 'CERTS_KEPT',
    hint: expect.stringContaining('mirrorgate certs') as string,
  });
  expect((error as ServingError).message).toMatch(/; nothing was changed$/);
  expect(await contents(directory)).toEqual(before);
  return error as ServingError;
}

describe('writeDevelopmentCerts', () => {
  it('makes the directory and writes a pair that can be loaded, with private keys for the owner alone', async () => {
    const directory = join(await temporaryDirectory(), 'deep', 'certs');
    const made = await writeDevelopmentCerts(directory, { now });

    expect(made).toMatchObject({ action: 'created', uncoveredHosts: [] });
    expect(made.summary).toBe(
      `wrote ${directory}/tls.crt and ${directory}/tls.key, signed by ${directory}/ca.crt: valid until 2032-01-01`,
    );
    expect(Object.keys(await contents(directory))).toEqual(['ca.crt', 'ca.key', 'tls.crt', 'tls.key']);
    for (const name of ['ca.key', 'tls.key'])
      expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
    expect((await loadCerts({ directory })).expires).toEqual(made.expires);
  });

  it('keeps a good pair and says so', async () => {
    const directory = await temporaryDirectory();
    await writeDevelopmentCerts(directory, { now });
    const before = await contents(directory);

    const again = await writeDevelopmentCerts(directory, { now });
    expect(again.action).toBe('kept');
    expect(again.summary).toMatch(/^kept .*tls\.crt and .*tls\.key: valid until 2032-01-01$/);
    expect(await contents(directory)).toEqual(before);
  });

  it('tells which wanted hosts a kept certificate is not for', async () => {
    const directory = await temporaryDirectory();
    await writeDevelopmentCerts(directory, { now, hosts: ['localhost', '*.a.example'] });
    const hosts = ['localhost', '10.0.0.1', 'gate.example', '*.a.example', '*.b.example'];
    const again = await writeDevelopmentCerts(directory, { now, hosts });
    expect(again.uncoveredHosts).toEqual(['10.0.0.1', 'gate.example', '*.b.example']);
  });

  it.each([
    ['has expired', inTwoYears],
    ['expires soon', new Date('2031-12-15T00:00:00Z')],
  ])('renews a certificate that %s under the same authority', async (_, at) => {
    const directory = await temporaryDirectory();
    await writeDevelopmentCerts(directory, { now });
    const before = await contents(directory);

    const renewed = await writeDevelopmentCerts(directory, { now: at });
    const after = await contents(directory);
    expect(renewed.action).toBe('renewed');
    expect(after['ca.crt']).toBe(before['ca.crt']);
    expect(after['ca.key']).toBe(before['ca.key']);
    expect(after['tls.key']).not.toBe(before['tls.key']);
    const leaf = new X509Certificate(after['tls.crt'] ?? '');
    expect(leaf.verify(new X509Certificate(after['ca.crt'] ?? '').publicKey)).toBe(true);
    expect((await loadCerts({ directory })).expires).toEqual(renewed.expires);
    expect((await stat(join(directory, 'tls.key'))).mode & 0o777).toBe(0o600);
  });

  it('issues a pair under an authority that stands alone', async () => {
    const directory = await temporaryDirectory();
    const { files } = await writeDevelopmentCerts(directory, { now });
    await Promise.all([rm(files.cert), rm(files.key)]);
    expect((await writeDevelopmentCerts(directory, { now })).action).toBe('renewed');
    await expect(loadCerts({ directory })).resolves.toBeDefined();
  });

  it('replaces everything when forced', async () => {
    const directory = await temporaryDirectory();
    await writeDevelopmentCerts(directory, { now });
    const before = await contents(directory);
    expect((await writeDevelopmentCerts(directory, { now, force: true })).action).toBe('created');
    const after = await contents(directory);
    for (const [name, content] of Object.entries(before)) expect(after[name]).not.toBe(content);
  });

  it('leaves alone a certificate without its key', async () => {
    const directory = await temporaryDirectory();
    const { files } = await writeDevelopmentCerts(directory, { now });
    await rm(files.key);
    expect((await refusal(directory)).message).toContain('tls.crt is there without');
  });

  it('leaves alone a pair that does not belong together', async () => {
    const directory = await temporaryDirectory();
    const { files } = await writeDevelopmentCerts(directory, { now });
    const other = await writeDevelopmentCerts(join(directory, '..other'), { now });
    await copyFile(other.files.key, files.key);
    await rm(join(directory, '..other'), { recursive: true });
    expect((await refusal(directory)).message).toMatch(/tls\.key is not the private key of .*tls\.crt/);
  });

  it('leaves alone a pair that another authority signed', async () => {
    const directory = await temporaryDirectory();
    const { files } = await writeDevelopmentCerts(directory, { now });
    const other = await writeDevelopmentCerts(join(directory, '..other'), { now });
    await copyFile(other.files.ca, files.ca);
    await rm(join(directory, '..other'), { recursive: true });
    expect((await refusal(directory)).message).toMatch(/tls\.crt is not signed by .*ca\.crt/);
  });

  it('does not renew without the authority’s key, nor under an authority that expires itself', async () => {
    const directory = await temporaryDirectory();
    const { files } = await writeDevelopmentCerts(directory, { now });
    expect((await refusal(directory, inTwentyYears)).message).toMatch(/ca\.crt expires on 2040-12-29/);
    await rm(files.caKey);
    expect((await refusal(directory, inTwoYears)).message).toContain('ca.key is needed to sign');
  });

  it('never puts key text into an error', async () => {
    const directory = await temporaryDirectory();
    const { files } = await writeDevelopmentCerts(directory, { now });
    const key = await readFile(files.key, 'utf8');
    const secret = key.split('\n')[1] ?? '';
    expect(secret.length).toBeGreaterThan(40);

    await writeFile(files.key, key.slice(0, 100));
    await writeFile(files.cert, key);
    const error = await refusal(directory);
    const loading: unknown = await loadCerts({ directory }).catch((caught: unknown) => caught);
    for (const text of [error, loading].map((each) => inspectAll(each)))
      expect(text).not.toContain(secret.slice(0, 20));
  });

  it('says when a directory cannot be written', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'file'), '');
    await expect(writeDevelopmentCerts(join(directory, 'file'), { now, force: true })).rejects.toMatchObject({
      code: 'CERTS_UNWRITABLE',
      message: `certificates cannot be written to ${directory}/file (EEXIST)`,
    });
  });
});

function inspectAll(error: unknown): string {
  const parts: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause)
    parts.push(at.message, at.stack ?? '', JSON.stringify(at, Object.getOwnPropertyNames(at)));
  expect(parts.length).toBeGreaterThan(0);
  return parts.join('\n');
}
