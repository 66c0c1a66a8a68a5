import { groupBy } from '../../mirrors/group-by.js';
import type { ValidEntry } from '../../mirrors/mirror-set.js';
import { registryOf } from '../../mirrors/reference.js';
import {
  registryConfig,
  windowsEntries,
  type RegistryConfig,
  type ViewOptions,
} from '../../mirrors/registry-view.js';
import { remember } from '../../mirrors/remember.js';
import { entryPlace } from '../entry-place.js';
import { createAndUpdate, type Rule } from '../rule.js';
import { windowsMirrors } from '../windows-mirrors.js';

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
  *find({ set, entries, after, settings: { view } }) {
    const own = windowsEntries(entries, view);
    for (const [registry, mine] of groupBy(own, (entry) => registryOf(entry.source))) {
      const config = registryConfig(after, registry, view);
      if (config === undefined || config.orderConflicts.length === 0) continue;
      const circleOf = circlesOf(config);
      const mineByCircle = groupBy(ordersIn(mine, circleOf, view), ({ circle }) => circle);
      const allByCircle = ordersByCircle(config)(windowsEntries(after.entriesOf(registry), view))(view);

      // One finding for each circle: it is mended for all of its entries or for none.
      for (const [circle, [first]] of mineByCircle) {
        if (first === undefined) continue;
        const conflict = findConflict(first, allByCircle.get(circle) ?? []);
        const [before = '', behind = ''] = conflict?.pair ?? first.keys;
        const others =
          conflict === undefined
            ? 'other entries together order them the other way round'
            : `${entryPlace(conflict.rival, set)} has them the other way round`;
        yield {
          path: `${first.entry.path}.mirrors`,
          message: `lists ${before} before ${behind}, and ${others}`,
          fix: 'list the mirrors in one order everywhere',
          key: `${registry} ${[before, behind].sort().join(' ')}`,
        };
      }
    }
  },
};

/** How one entry orders the host entries of a circle. */
interface Order {
  readonly entry: ValidEntry;
  readonly circle: number;
  /** At least two host entry keys, in the entry's order. */
  readonly keys: readonly string[];
}

/** The circle of each host entry key that is in one. */
const circlesOf = remember(
  ({ orderConflicts }: RegistryConfig): ReadonlyMap<string, number> =>
    new Map(orderConflicts.flatMap((circle, at) => circle.map((key) => [key, at] as const))),
);

const ordersByCircle = remember((config: RegistryConfig) =>
  remember((entries: readonly ValidEntry[]) =>
    remember((view: ViewOptions) =>
      groupBy(ordersIn(entries, circlesOf(config), view), ({ circle }) => circle),
    ),
  ),
);

function ordersIn(
  entries: readonly ValidEntry[],
  circleOf: ReadonlyMap<string, number>,
  view: ViewOptions,
): Order[] {
  return entries.flatMap((entry) => {
    const keys = new Set(windowsMirrors(entry, view).map(({ key }) => key));
    const byCircle = groupBy(keys, (key) => circleOf.get(key));
    return [...byCircle].flatMap(([circle, inCircle]) =>
      circle === undefined || inCircle.length < 2 ? [] : [{ entry, circle, keys: inCircle }],
    );
  });
}

/** The first entry that by itself has two keys the other way round; a longer circle may have none. */
function findConflict(
  own: Order,
  all: readonly Order[],
): { readonly rival: ValidEntry; readonly pair: readonly [string, string] } | undefined {
  const positions = new Map(own.keys.map((key, at) => [key, at] as const));
  for (const { entry, keys } of all) {
    const shared = keys.filter((key) => positions.has(key));
    for (const [at, key] of shared.entries()) {
      const next = shared[at + 1];
      if (next !== undefined && (positions.get(next) ?? 0) < (positions.get(key) ?? 0))
        return { rival: entry, pair: [next, key] };
    }
  }
  return undefined;
}
