/** Which of the mirror sets that are asked for get in, when they do not come through an API server's webhook. */
import { isDeepStrictEqual } from 'node:util';
import { indexMirrorSets, type MirrorSetIndex } from '../mirrors/mirror-set-index.js';
import { compareMirrorSets, keyOf, type MirrorSet } from '../mirrors/mirror-set.js';
import { evaluate, type EvaluationContext, type Judgement, type Review } from '../policy/evaluate.js';

/** What became of one mirror set. */
export interface Verdict {
  readonly review: Review;
  readonly judgement: Judgement;
  /**
   * `admitted`: it is in force as asked for. `kept-out`: denied, and nothing of its name was in force.
   * `last-good-kept`: denied, and what was in force before stays. `removed`: gone, as asked for.
   * `removal-refused`: it stays in force, because taking it away is denied.
   */
  readonly outcome: 'admitted' | 'kept-out' | 'last-good-kept' | 'removed' | 'removal-refused';
  /** What is asked for differs from what was in force. */
  readonly changed: boolean;
}

/** What all sets are judged by. */
export type CommonContext = Omit<EvaluationContext, 'index' | 'before'>;

export interface Admission {
  /** What is in force from now on, sorted. */
  readonly admitted: readonly MirrorSet[];
  /** One per set asked for or taken away, sorted. */
  readonly verdicts: readonly Verdict[];
}

/**
 * Puts every set through the gate as the API server would: new ones as CREATE, changed ones as UPDATE, absent ones as
 * DELETE. Sets are judged together, so that two that need each other both get in whatever their order; a denied one
 * counts for nothing in the judgement of the others.
 *
 * @param asked the sets that should be in force
 * @param inForce the sets that were let in last
 */
export function admit(
  asked: readonly MirrorSet[],
  inForce: readonly MirrorSet[],
  context: CommonContext,
): Admission {
  const held = new Map(inForce.map((set) => [keyOf(set), set]));
  const reviews = makeReviews(asked, held);
  const refused = refuse(reviews, held, context);

  const index = indexMirrorSets(outcomeOf(reviews, held, refused));
  const before = indexMirrorSets(inForce);
  const verdicts = reviews.map((review): Verdict => {
    const key = keyOf(review.set);
    return {
      review,
      judgement: judgeTogether(review, index, before, context),
      outcome: outcome(review, refused.has(key), held.has(key)),
      changed: review.operation !== 'UPDATE' || !isDeepStrictEqual(review.set, review.old),
    };
  });
  return { admitted: outcomeOf(reviews, held, refused).toSorted(compareMirrorSets), verdicts };
}

function makeReviews(asked: readonly MirrorSet[], held: ReadonlyMap<string, MirrorSet>): Review[] {
  const askedKeys = new Set(asked.map(keyOf));
  const createdOrUpdated = asked.map((set): Review => {
    const old = held.get(keyOf(set));
    return old === undefined ? { operation: 'CREATE', set } : { operation: 'UPDATE', set, old };
  });
  const deleted = [...held.values()]
    .filter((set) => !askedKeys.has(keyOf(set)))
    .map((set): Review => ({ operation: 'DELETE', set }));
  return [...createdOrUpdated, ...deleted].sort((left, right) => compareMirrorSets(left.set, right.set));
}

/** The keys of the reviews that are denied. */
function refuse(
  reviews: readonly Review[],
  held: ReadonlyMap<string, MirrorSet>,
  context: CommonContext,
): ReadonlySet<string> {
  const refused = new Set<string>();
  const before = indexMirrorSets([...held.values()]);
  /** Judges in the light of what is refused so far. */
  const judge = () => {
    const index = indexMirrorSets(outcomeOf(reviews, held, refused));
    return (review: Review) => judgeTogether(review, index, before, context).allowed;
  };
  const isIn = (review: Review) => !refused.has(keyOf(review.set));

  // Taking one out can break another that leant on it: go on until nothing changes. Each round refuses at least one.
  for (;;) {
    const isAllowed = judge();
    const denied = reviews.filter((review) => isIn(review) && !isAllowed(review));
    if (denied.length === 0) break;
    for (const { set } of denied) refused.add(keyOf(set));
  }

  // Of sets that were refused only because of one another, the first gets in, if it breaks none that is in already.
  // One that leans on a later one finds it there in the next round. Each round but the last lets at least one in.
  for (let before = -1; before !== refused.size;) {
    before = refused.size;
    for (const review of reviews) {
      const key = keyOf(review.set);
      if (!refused.delete(key)) continue;
      const isAllowed = judge();
      if (!isAllowed(review) || !reviews.every((other) => !isIn(other) || isAllowed(other))) refused.add(key);
    }
  }
  return refused;
}

/**
 * Judges one of several changes that are made at once: as if it alone were made, last of all; and so that what they
 * break together is not blamed on the others by each of them. The first says better what the one set does, and is
 * what a person sees unless the second alone denies.
 */
function judgeTogether(
  review: Review,
  index: MirrorSetIndex,
  before: MirrorSetIndex,
  context: CommonContext,
): Judgement {
  const alone = evaluate(review, { ...context, index });
  if (!alone.allowed) return alone;
  const together = evaluate(review, { ...context, index, before });
  return together.allowed ? alone : together;
}

/** The sets in force when some reviews are refused. */
function outcomeOf(
  reviews: readonly Review[],
  held: ReadonlyMap<string, MirrorSet>,
  refused: ReadonlySet<string>,
): MirrorSet[] {
  return reviews.flatMap((review) => {
    const key = keyOf(review.set);
    if (refused.has(key)) return held.get(key) ?? [];
    return review.operation === 'DELETE' ? [] : review.set;
  });
}

function outcome(review: Review, isRefused: boolean, wasHeld: boolean): Verdict['outcome'] {
  if (review.operation === 'DELETE') return isRefused ? 'removal-refused' : 'removed';
  if (!isRefused) return 'admitted';
  return wasHeld ? 'last-good-kept' : 'kept-out';
}
