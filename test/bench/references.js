/**
 * Whether parsing stays linear: time per character for the worst shapes of a reference, an image name and a manifest,
 * as ratios to the shortest text of the same shape. A ratio of about 1 or less in every column is linear; one that grows
 * with the length is not. The first column compares the shapes, by the first row. Nothing is checked here: ratios depend
 * on the machine's other work.
 *
 * Run after `npm run build`: `node test/bench/references.js`
 */
import { performance } from 'node:perf_hooks';
import { parseImage } from '../../dist/mirrors/image-reference.js';
import { parseManifests } from '../../dist/mirrors/manifest.js';
import { parseReference } from '../../dist/mirrors/reference.js';

/** Builds a text of about `length` characters by repeating a part. */
const repeated = (before, part, after) => (length) =>
  before + part.repeat(Math.ceil(length / part.length)) + after;

const reference = (text) => parseReference(text, { wildcard: true });
const manifest = (text) => parseManifests(text, 'bench.yaml');

const suites = [
  {
    title: 'parseReference',
    run: reference,
    lengths: [1e3, 1e4, 1e5, 1e6],
    shapes: {
      'segment that fails at its end': repeated('q.io/', 'a', '!'),
      'dashes without an end': repeated('q.io/a', '-', ''),
      'joined segment that fails': repeated('q.io/', 'a-', ''),
      'underscores between letters': repeated('q.io/a', '_', 'a'),
      'path segments': repeated('q.io', '/a', '/'),
      'host labels': repeated('', 'a.', '!'),
      'dashes in a host': repeated('a', '-', ''),
      'port digits': repeated('q.io:', '1', 'x'),
      'valid path': repeated('q.io', '/a-b', ''),
    },
  },
  {
    title: 'parseImage',
    run: parseImage,
    lengths: [1e3, 1e4, 1e5, 1e6],
    shapes: {
      'digest algorithm': repeated('a@', 'a+', ''),
      'digest digits': repeated('a@sha256:', '0', 'x'),
      tag: repeated('a:', 't', ''),
      colons: repeated('a', ':', ''),
    },
  },
  {
    title: 'parseManifests',
    run: manifest,
    lengths: [1e3, 1e4, 1e5],
    shapes: {
      'nested sequences': repeated('', '[', ''),
      'keys of one mapping': (length) =>
        Array.from({ length: Math.ceil(length / 8) }, (_, at) => `k${at}: 1`).join('\n'),
      'mirror sets': repeated(
        '',
        '---\napiVersion: config.openshift.io/v1\nkind: ImageTagMirrorSet\nmetadata: {name: a}\nspec: {imageTagMirrors: [{source: q.io, mirrors: [m.io]}]}\n',
        '',
      ),
      'long scalar': repeated('kind: "', 'x', '"'),
    },
  },
];

/** The least of several runs, in nanoseconds per character: what disturbs a run can only add to it. */
function timePerCharacter(run, text) {
  const repeats = Math.max(1, Math.round(2e5 / text.length));
  let least = Infinity;
  for (let round = 0; round < 5; round += 1) {
    const start = performance.now();
    for (let at = 0; at < repeats; at += 1) run(text);
    least = Math.min(least, performance.now() - start);
  }
  return (least * 1e6) / repeats / text.length;
}

for (const { title, run, lengths, shapes } of suites) {
  const headings = lengths.map((length) => `10^${Math.log10(length)}`.padStart(8)).join('');
  process.stdout.write(`\n${title.padEnd(32)}${'to row 1'.padStart(10)}${headings}\n`);
  let firstRow;
  for (const [name, build] of Object.entries(shapes)) {
    timePerCharacter(run, build(lengths[0])); // Compiled before it counts.
    const times = lengths.map((length) => timePerCharacter(run, build(length)));
    firstRow ??= times[0];
    const ratios = times.map((time) => (time / times[0]).toFixed(2).padStart(8)).join('');
    process.stdout.write(`${name.padEnd(32)}${(times[0] / firstRow).toFixed(2).padStart(10)}${ratios}\n`);
  }
}
