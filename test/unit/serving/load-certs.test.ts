import { generateKeyPairSync } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { writeDevelopmentCerts } from '../../../src/serving/certs-directory.js';
import { loadCerts } from '../../../src/serving/load-certs.js';
import { temporaryDirectory } from './temporary-directory.js';

const now = new Date('2031-01-01T00:00:00Z');

async function certs() {
  const directory = await temporaryDirectory();
  const { files } = await writeDevelopmentCerts(directory, { now });
  return { directory, files };
}

describe('loadCerts', () => {
  it('reads the pair of a directory and of two files', async () => {
    const { directory, files } = await certs();
    const fromDirectory = await loadCerts({ directory });
    expect(fromDirectory).toEqual({
      cert: await readFile(files.cert, 'utf8'),
      key: await readFile(files.key, 'utf8'),
      expires: new Date('2032-01-01T00:00:00Z'),
    });
    expect(await loadCerts({ certFile: files.cert, keyFile: files.key })).toEqual(fromDirectory);
  });

  it('names the missing file and the command that makes it', async () => {
    const { directory, files } = await certs();
    await rm(files.key);
    await expect(loadCerts({ directory })).rejects.toMatchObject({
      code: 'CERT_MISSING',
      message: `${files.key} does not exist`,
      hint: `development certificates come from: mirrorgate certs --certs-dir ${directory}`,
    });
    await expect(loadCerts({ directory: 'no-such-directory/certs' })).rejects.toMatchObject({
      message: 'no-such-directory/certs/tls.crt does not exist',
    });
  });

  it('points at the flags when the files were named one by one', async () => {
    const { files } = await certs();
    await expect(loadCerts({ certFile: files.cert, keyFile: `${files.key}x` })).rejects.toMatchObject({
      message: `${files.key}x does not exist`,
      hint: 'check --tls-cert and --tls-key, or leave out both and run: mirrorgate certs',
    });
  });

  it('says that a directory stands where the certificate should', async () => {
    const { directory, files } = await certs();
    await rm(files.cert);
    await mkdir(files.cert);
    await expect(loadCerts({ directory })).rejects.toMatchObject({
      message: `${files.cert} is a directory`,
    });
  });

  it('refuses a key that is not the certificate’s', async () => {
    const { directory, files } = await certs();
    await expect(loadCerts({ certFile: files.cert, keyFile: files.caKey })).rejects.toMatchObject({
      code: 'CERT_MISMATCH',
      message: `${directory}/ca.key is not the private key of ${directory}/tls.crt`,
    });
  });

  it('refuses half-written files, also one cut off within its chain', async () => {
    const { directory, files } = await certs();
    const [cert, key, ca] = await Promise.all(
      [files.cert, files.key, files.ca].map((file) => readFile(file, 'utf8')),
    );
    const cases = [
      { cert: cert!.slice(0, 200), key: key!, file: files.cert },
      { cert: '', key: key!, file: files.cert },
      { cert: cert! + ca!.slice(0, 200), key: key!, file: files.cert },
      { cert: cert!, key: key!.slice(0, 100), file: files.key },
      { cert: cert!, key: '', file: files.key },
    ];
    for (const broken of cases) {
      await writeFile(files.cert, broken.cert);
      await writeFile(files.key, broken.key);
      await expect(loadCerts({ directory })).rejects.toMatchObject({
        code: 'CERT_BROKEN',
        message: expect.stringMatching(new RegExp(`^${broken.file} holds `)) as string,
      });
    }
    await writeFile(files.cert, cert! + ca!);
    await writeFile(files.key, key!);
    await expect(loadCerts({ directory })).resolves.toMatchObject({ cert: cert! + ca! });
  });

  it.each(['pkcs8', 'sec1'] as const)('says that a %s key has a passphrase', async (type) => {
    const { directory, files } = await certs();
    const { privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open sesame' },
    });
    await writeFile(files.key, privateKey);
    await expect(loadCerts({ directory })).rejects.toMatchObject({
      message: `${files.key} is protected by a passphrase, which is not supported for TLS keys`,
    });
  });
});
