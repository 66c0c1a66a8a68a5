import { groupBy } from '../../mirrors/group-by.js';
import { keyOf, type ValidEntry } from '../../mirrors/mirror-set.js';
import { formatReference, registryOf } from '../../mirrors/reference.js';
import { hostEntryLocation, registryConfig, windowsEntries } from '../../mirrors/registry-view.js';
import { createAndUpdate, type Rule } from '../rule.js';

export const mirrorOrderConflict: Rule = {
  id: 'mirror-order-conflict',
  summary: 'merged lists that order the same mirrors both ways',
  why: 'The API leaves the result of conflicting orders open: the fail-over order that was meant is lost.',
  remedy: 'List the mirrors in one order everywhere, or in one list.',
  scope: 'windows',
  about: 'state',
  objectOnly: true,
  operations: createAndUpdate,
  actions: { audit: 'audit', baseline: 'warn', restricted: 'warn' },
  *find({ set, entries, after, settings }) {
    const own = windowsEntries(entries, settings.view);
    for (const [registry, mine] of groupBy(own, (entry) => registryOf(entry.source))) {
      const circles = registryConfig(after, registry, settings.view)?.orderConflicts ?? [];
      if (circles.length === 0) continue;
      const circleOf = new Map(circles.flatMap((circle, at) => circle.map((key) => [key, at] as const)));
      const all = windowsEntries(after.entriesOf(registry), settings.view);

      for (const entry of mine) {
        const pair = firstPairInCircle(keysOf(entry), circleOf);
        if (pair === undefined) continue;
        const [before, behind] = pair;
        const rival = all.find((other) => {
          const keys = keysOf(other);
          const at = keys.indexOf(behind);
          return at !== -1 && keys.indexOf(before) > at;
        });
        const where =
          rival === undefined
            ? 'other entries together order them the other way round'
            : `${keyOf(rival.set) === keyOf(set) ? rival.path : `${rival.set.kind} "${rival.set.name}"`} has them the other way round`;
        yield {
          path: `${entry.path}.mirrors`,
          message: `lists ${before} before ${behind}, and ${where}`,
          fix: 'list the mirrors in one order everywhere',
          key: `${formatReference(entry.source)} ${before} ${behind}`,
        };
      }
    }
  },
};

function keysOf(entry: ValidEntry): string[] {
  return [...new Set(entry.mirrors.map(({ reference }) => hostEntryLocation(entry.source, reference).key))];
}

function firstPairInCircle(
  keys: readonly string[],
  circleOf: ReadonlyMap<string, number>,
): readonly [string, string] | undefined {
  for (const [at, key] of keys.entries()) {
    const next = keys[at + 1];
    const circle = circleOf.get(key);
    if (next !== undefined && circle !== undefined && circleOf.get(next) === circle) return [key, next];
  }
  return undefined;
}
