import TinyQueue from 'tinyqueue';

/**
 * The order of merged lists. The API promises that lists for one source merge with each list's relative order kept
 * (`a,b,c` and `c,d,e` give `a,b,c,d,e`); conflicting orders are not rejected, and the result is then unspecified.
 */

export interface MergedOrder {
  /** Every item once. */
  readonly order: readonly string[];
  /** Groups of items that the lists order in circles (`a,b` and `b,a`); each keeps its order of first appearance. */
  readonly conflicts: readonly (readonly string[])[];
}

/**
 * Merges lists into one order that keeps every list's relative order wherever that is possible. Stable: items that no
 * list orders stay in order of first appearance. O(n log n) in the total length of the lists.
 */
export function mergeOrders(lists: readonly (readonly string[])[]): MergedOrder {
  const graph = buildGraph(lists);
  const groups = findCircles(graph);

  const groupOf = new Array<number>(graph.items.length);
  for (const [group, members] of groups.entries()) for (const member of members) groupOf[member] = group;

  const order = sortGroups(graph, groups, groupOf).flatMap((group) => namesOf(graph, groups[group]));
  const conflicts = groups.filter((group) => group.length > 1).map((group) => namesOf(graph, group));
  return { order, conflicts };
}

interface Graph {
  /** In order of first appearance: an item's index is its rank. */
  readonly items: readonly string[];
  readonly followers: readonly (readonly number[])[];
}

function buildGraph(lists: readonly (readonly string[])[]): Graph {
  const ranks = new Map<string, number>();
  const followers: number[][] = [];
  const rankOf = (item: string): number => {
    const known = ranks.get(item);
    if (known !== undefined) return known;
    const rank = ranks.size;
    ranks.set(item, rank);
    followers.push([]);
    return rank;
  };
  for (const list of lists) {
    let previous: number | undefined;
    for (const item of new Set(list)) {
      const rank = rankOf(item);
      if (previous !== undefined) followers[previous]?.push(rank);
      previous = rank;
    }
  }
  return { items: [...ranks.keys()], followers };
}

/** Strongly connected components (Tarjan), without recursion: a list may have thousands of items. */
function findCircles(graph: Graph): number[][] {
  const size = graph.items.length;
  const unseen = -1;
  const index = new Array<number>(size).fill(unseen);
  const low = new Array<number>(size).fill(0);
  const onStack = new Array<boolean>(size).fill(false);
  const stack: number[] = [];
  const groups: number[][] = [];
  let counter = 0;

  const open = (node: number) => {
    index[node] = low[node] = counter++;
    stack.push(node);
    onStack[node] = true;
  };

  for (let root = 0; root < size; root += 1) {
    if (index[root] !== unseen) continue;
    open(root);
    const walk = [{ node: root, next: 0 }];
    for (let frame = walk.at(-1); frame !== undefined; frame = walk.at(-1)) {
      const { node } = frame;
      const follower = graph.followers[node]?.[frame.next++];
      if (follower !== undefined) {
        if (index[follower] === unseen) {
          open(follower);
          walk.push({ node: follower, next: 0 });
        } else if (onStack[follower] === true) {
          low[node] = Math.min(low[node] ?? 0, index[follower] ?? 0);
        }
        continue;
      }
      walk.pop();
      const parent = walk.at(-1)?.node;
      if (parent !== undefined) low[parent] = Math.min(low[parent] ?? 0, low[node] ?? 0);
      if (low[node] === index[node]) {
        const members = stack.splice(stack.lastIndexOf(node));
        for (const member of members) onStack[member] = false;
        groups.push(members.sort((left, right) => left - right));
      }
    }
  }
  return groups;
}

/** Kahn's algorithm over the groups; among those that are free, the one that appeared first goes first. */
function sortGroups(
  graph: Graph,
  groups: readonly (readonly number[])[],
  groupOf: readonly number[],
): number[] {
  const blockers = new Array<number>(groups.length).fill(0);
  const followersOf = (group: number): number[] =>
    (groups[group] ?? [])
      .flatMap((member) => (graph.followers[member] ?? []).map((follower) => groupOf[follower] ?? 0))
      .filter((follower) => follower !== group);

  for (const group of groups.keys())
    for (const follower of followersOf(group)) blockers[follower] = (blockers[follower] ?? 0) + 1;

  const rank = (group: number) => groups[group]?.[0] ?? 0;
  const free = new TinyQueue<number>([], (left, right) => rank(left) - rank(right));
  for (const group of groups.keys()) if (blockers[group] === 0) free.push(group);

  const sorted: number[] = [];
  for (let group = free.pop(); group !== undefined; group = free.pop()) {
    sorted.push(group);
    for (const follower of followersOf(group)) {
      blockers[follower] = (blockers[follower] ?? 0) - 1;
      if (blockers[follower] === 0) free.push(follower);
    }
  }
  return sorted;
}

function namesOf(graph: Graph, members: readonly number[] = []): string[] {
  return members.map((member) => graph.items[member] ?? '');
}
