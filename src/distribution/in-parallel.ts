import PQueue from 'p-queue';

/**
 * Runs `work` on every item, at most `limit` at a time, and gives the results in the order of the items. After the
 * first failure no further item is started; those under way come to their end, then the failure is thrown.
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const queue = new PQueue({ concurrency: limit });
  const results = new Array<Result>(items.length);
  const failures: unknown[] = [];
  for (const [index, item] of items.entries()) {
    void queue.add(async () => {
      try {
        results[index] = await work(item);
      } catch (error) {
        failures.push(error);
        queue.clear();
      }
    });
  }
  await queue.onIdle();
  if (failures.length > 0) throw failures[0];
  return results;
}
