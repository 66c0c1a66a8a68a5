import { Buildah } from '/work/main/test/cluster/buildah.js';
import { buildImage } from '/work/main/test/cluster/build-image.js';
import { mkdtempSync } from 'node:fs';
import { test } from 'vitest';
test('try', async () => {
  const folder = mkdtempSync('/var/tmp/mirrorgate-image-');
  console.log(folder);
  const b = new Buildah(folder + '/storage');
  const t = Date.now();
  try {
  const image = await buildImage(b, folder + '/work', { REVISION: 'abc' });
  console.log(JSON.stringify(image, null, 1), Date.now() - t);
  process.removeAllListeners('exit');
  } catch (e) { console.log(String(e)); throw e; }
}, 600000);
