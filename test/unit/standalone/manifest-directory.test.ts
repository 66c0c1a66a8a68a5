import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { ManifestDirectory, type DirectoryFault } from '../../../src/standalone/manifest-directory.js';
import { temporaryFolder } from './temporary-folder.js';

// What the system says when it has no watches left.
vi.mock('../../../src/standalone/watch-directory.js', () => ({
  watchDirectory: () => ({ ok: false, fault: 'ENOSPC: System limit for number of file watchers reached' }),
}));

it('says when a folder cannot be watched, and finds changes by looking now and then', async () => {
  const path = await temporaryFolder();
  const reports: (readonly DirectoryFault[])[] = [];
  const directory = new ManifestDirectory({
    path,
    onFaults: (faults) => reports.push(faults),
    now: () => Date.now() + 3_600_000,
    settleMs: 10,
    lookMs: 30,
  });
  onTestFinished(() => directory.stop());
  await directory.start();
  expect(reports[0]).toContainEqual({
    where: path,
    message: 'changes are noticed late: ENOSPC: System limit for number of file watchers reached',
  });
  expect(directory.current()?.sets).toEqual([]);

  await writeFile(
    join(path, 'a.yaml'),
    'apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nmetadata: {name: a}\n',
  );
  await vi.waitFor(
    () => {
      expect(directory.current()?.sets).toMatchObject([{ name: 'a' }]);
    },
    { timeout: 10_000 },
  );
  expect(reports).toHaveLength(1);
});
