/** Judges the mirror sets that are in a cluster already, whoever let them in and whenever. */
import { indexMirrorSets } from '../mirrors/mirror-set-index.js';
import { compareMirrorSets, type MirrorSet } from '../mirrors/mirror-set.js';
import { evaluate, type EvaluationContext, type Judgement } from '../policy/evaluate.js';

/** How a mirror set that is there stands in the light of the policy. */
export interface ExistingVerdict {
  readonly set: MirrorSet;
  /** As it would be for whoever created the set today, beside all others: what would be denied is `deny`. */
  readonly judgement: Judgement;
}

/**
 * Judges every set against all of them. Rules about a step from one state to another are left out: nobody drains a node
 * for a set that stays as it is. Nobody asks for anything either, so that an exemption for certain users or groups
 * covers nothing here.
 *
 * @param sets every mirror set of the cluster, in any order
 * @returns one for each set, sorted by kind and name
 */
export function judgeExisting(
  sets: readonly MirrorSet[],
  context: Omit<EvaluationContext, 'index' | 'before'>,
): readonly ExistingVerdict[] {
  return [...judgingExisting(sets, context)];
}

/** The same, one set at a time: for a caller who has other things to do in between. */
export function* judgingExisting(
  sets: readonly MirrorSet[],
  context: Omit<EvaluationContext, 'index' | 'before'>,
): Generator<ExistingVerdict> {
  const index = indexMirrorSets(sets);
  for (const set of sets.toSorted(compareMirrorSets)) {
    yield { set, judgement: evaluate({ operation: 'CREATE', set, about: 'state' }, { ...context, index }) };
  }
}
