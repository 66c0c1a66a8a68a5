import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { writeDevelopmentCerts } from '../../../src/serving/certs-directory.js';
import type { KeyPair } from '../../../src/serving/key-pair.js';
import { loadCerts } from '../../../src/serving/load-certs.js';
import { createCa, issueLeaf } from '../../../src/serving/self-signed.js';
import { watchCerts, type TlsReloadOptions } from '../../../src/serving/tls-reload.js';
import { temporaryDirectory } from './temporary-directory.js';

const now = new Date('2031-01-01T00:00:00Z');

async function watched(directory: string, overrides: Partial<TlsReloadOptions> = {}) {
  const applied: KeyPair[] = [];
  const faults: string[] = [];
  const expired: string[] = [];
  const waiting: (() => void)[] = [];
  const wake = () => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  const reload = watchCerts({
    source: { directory },
    current: await loadCerts({ directory }),
    apply: (pair) => applied.push(pair),
    onReloaded: wake,
    onFault: (fault) => {
      faults.push(fault.message);
      wake();
    },
    onExpired: ({ message, hint }) => {
      expired.push(`${message}; ${hint}`);
      wake();
    },
    settleMs: 1,
    pollMs: 3_600_000,
    ...overrides,
  });
  onTestFinished(() => reload.stop());
  return {
    reload,
    applied,
    faults,
    expired,
    /** The next reload, fault or expiry. */
    happens: () => new Promise<void>((resolve) => waiting.push(resolve)),
  };
}

describe('watchCerts', () => {
  it('applies a new pair when the files are replaced', async () => {
    const directory = await temporaryDirectory();
    await writeDevelopmentCerts(directory, { now });
    const { applied, happens } = await watched(directory);

    await writeDevelopmentCerts(directory, { now, force: true });
    const wanted = await loadCerts({ directory });
    // Between the two renames a mismatch may be seen and reported first.
    while (applied.at(-1)?.cert !== wanted.cert) await happens();
    expect(applied.at(-1)).toEqual(wanted);
  });

  it('follows a volume that swaps a link beside the files, as Secrets are mounted', async () => {
    const directory = await temporaryDirectory();
    for (const version of ['..v1', '..v2', '..v3'])
      await writeDevelopmentCerts(join(directory, version), { now });
    const swapTo = async (version: string) => {
      await symlink(version, join(directory, '..data_tmp'));
      await rename(join(directory, '..data_tmp'), join(directory, '..data'));
    };
    await swapTo('..v1');
    for (const name of ['tls.crt', 'tls.key']) await symlink(join('..data', name), join(directory, name));

    const { applied, happens } = await watched(directory);
    for (const version of ['..v2', '..v3']) {
      const wanted = await readFile(join(directory, version, 'tls.crt'), 'utf8');
      await swapTo(version);
      while (applied.at(-1)?.cert !== wanted) await happens();
      expect(applied.at(-1)).toEqual(await loadCerts({ directory: join(directory, version) }));
    }
    expect(applied).toHaveLength(2);
  });

  it('keeps the pair in use while the files are broken, says so once, and recovers', async () => {
    const directory = await temporaryDirectory();
    const { files } = await writeDevelopmentCerts(directory, { now });
    const cert = await readFile(files.cert, 'utf8');
    const { reload, applied, faults } = await watched(directory);

    await writeFile(files.cert, cert.slice(0, 300));
    expect(await reload.check()).toBe('refused');
    expect(await reload.check()).toBe('refused');
    expect(applied).toEqual([]);
    expect(faults).toEqual([`${files.cert} holds no readable PEM certificate`]);

    await writeFile(files.cert, cert);
    expect(await reload.check()).toBe('unchanged');
    await writeFile(files.cert, cert.slice(0, 300));
    expect(await reload.check()).toBe('refused');
    expect(faults).toHaveLength(2);

    await writeDevelopmentCerts(directory, { now, force: true });
    // The watch may have been first to see it: what counts is that the new pair is in use.
    expect(await reload.check()).not.toBe('refused');
    expect(applied.at(-1)).toEqual(await loadCerts({ directory }));
  });

  it('waits for the other half when a pair is replaced one file at a time', async () => {
    const directory = await temporaryDirectory();
    const { files } = await writeDevelopmentCerts(directory, { now });
    const next = await writeDevelopmentCerts(join(directory, 'next'), { now });
    const { reload, applied, faults } = await watched(directory);

    await rename(next.files.cert, files.cert);
    expect(await reload.check()).toBe('refused');
    expect(faults.at(-1)).toBe(`${files.key} is not the private key of ${files.cert}`);
    expect(applied).toEqual([]);
    await rename(next.files.key, files.key);
    await reload.check();
    expect(applied).toEqual([await loadCerts({ directory })]);
  });

  it('finds a directory again that was removed and made anew, by polling', async () => {
    const directory = join(await temporaryDirectory(), 'certs');
    await writeDevelopmentCerts(directory, { now });
    const { applied, happens } = await watched(directory, { pollMs: 20 });

    const gone = happens();
    await rm(directory, { recursive: true });
    await gone;
    await mkdir(directory);
    await writeDevelopmentCerts(directory, { now, force: true });
    const wanted = await loadCerts({ directory });
    while (applied.at(-1)?.cert !== wanted.cert) await happens();
    expect(applied.at(-1)).toEqual(wanted);
  });

  it('says at the start that the certificate has expired, and once it is replaced, no more', async () => {
    const directory = await temporaryDirectory();
    const { files } = await writeDevelopmentCerts(directory, { now: new Date('2021-01-01T00:00:00Z') });
    const { reload, expired, applied } = await watched(directory);
    const words = `${files.cert} expired on 2022-01-01; clients refuse it, API servers too: run: mirrorgate certs --certs-dir ${directory} --force`;
    expect(expired).toEqual([words]);
    await reload.check();
    expect(expired).toEqual([words]);

    await writeDevelopmentCerts(directory, { now: new Date(), force: true });
    await reload.check();
    expect(applied.at(-1)).toEqual(await loadCerts({ directory }));
    expect(expired).toEqual([words]);
  });

  it('says so when the certificate expires while it is served, though no file changes', async () => {
    const directory = await temporaryDirectory();
    const { files } = await writeDevelopmentCerts(directory, { now: new Date() });
    const ca = await createCa({ now: new Date(), lifeMs: 3_600_000, name: 'test' });
    const { cert, key } = await issueLeaf({ now: new Date(), hosts: ['localhost'], ca, lifeMs: 2_000 });
    await writeFile(files.cert, cert);
    await writeFile(files.key, key);
    const { expired, happens } = await watched(directory, {
      source: { certFile: files.cert, keyFile: files.key },
    });
    while (expired.length === 0) await happens();
    expect(expired).toEqual([
      expect.stringMatching(
        /tls\.crt expired on .*: have it renewed; new files are taken up without a restart$/,
      ) as string,
    ]);
  });

  it('keeps the pair in use when the new one cannot be applied', async () => {
    const directory = await temporaryDirectory();
    await writeDevelopmentCerts(directory, { now });
    const { reload, faults } = await watched(directory, {
      apply: () => {
        throw new Error('no such curve');
      },
    });
    await writeDevelopmentCerts(directory, { now, force: true });
    expect(await reload.check()).toBe('refused');
    expect(faults.at(-1)).toBe('the new certificate could not be put to use');
  });

  it('applies and reports nothing after it is stopped', async () => {
    const directory = await temporaryDirectory();
    await writeDevelopmentCerts(directory, { now });
    const { reload, applied, faults } = await watched(directory, { pollMs: 1 });
    await reload.stop();
    await writeDevelopmentCerts(directory, { now, force: true });
    expect(await reload.check()).toBe('unchanged');
    expect(applied).toEqual([]);
    expect(faults).toEqual([]);
  });
});
