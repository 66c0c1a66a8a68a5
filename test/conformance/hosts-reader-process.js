/**
 * Opens the hosts.toml of every registry over and over, as containerd does at every pull, until it is told to stop.
 * A process of its own, in plain JavaScript so that node runs it as it is.
 *
 * Parameters: a root folder, then the registry directories. Sends `{ started: true }`, and at the end what it saw.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { revisionStamped } from './stamped-file.js';

const [root, ...registries] = process.argv.slice(2);
const files = registries.map((registry) => ({
  registry,
  path: join(root, registry, 'hosts.toml'),
  latest: -1,
}));
const seen = { reads: 0, missing: [], empty: 0, half: 0, backwards: 0, revisions: new Set() };

/** How long to read at a stretch, and to leave the processor to others then, in milliseconds. */
const stretch = 5;
const pause = 15;

function readOnce(file) {
  seen.reads += 1;
  const from = process.hrtime.bigint();
  let content;
  try {
    content = readFileSync(file.path, 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    seen.missing.push({ registry: file.registry, from, to: process.hrtime.bigint() });
    return;
  }
  if (content === '') {
    seen.empty += 1;
    return;
  }
  const revision = revisionStamped(file.registry, content);
  if (revision === undefined) {
    seen.half += 1;
    return;
  }
  if (revision < file.latest) seen.backwards += 1;
  file.latest = revision;
  seen.revisions.add(revision);
}

function readOn() {
  const until = performance.now() + stretch;
  do files.forEach(readOnce);
  while (performance.now() < until);
  if (process.connected) setTimeout(readOn, pause);
}

process.once('message', () => {
  process.send({ ...seen, revisions: seen.revisions.size }, () => process.exit());
});
process.once('disconnect', () => process.exit());
process.send({ started: true });
readOn();
