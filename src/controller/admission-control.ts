/** Who decides which of the mirror sets that are asked for are in force. */
import { keyOf, type MirrorSet } from '../mirrors/mirror-set.js';
import { admit, type Admission, type CommonContext } from './admit.js';
import type { MirrorSetSnapshot } from './sources.js';

export interface AdmissionControl {
  /** Takes up what was in force when the process ended last. */
  load(): Promise<void>;
  /** Which sets are in force; changes nothing. */
  decide(snapshot: MirrorSetSnapshot, context: CommonContext): Admission;
  /** From now on these are in force. */
  commit(admitted: readonly MirrorSet[]): void;
  /** Remembers for the next start what is in force. */
  save(): Promise<void>;
}

/** Remembers what was let in, so that a restart does not forget the last good version of a set that is denied now. */
export interface AdmittedStore {
  load(): Promise<readonly MirrorSet[]>;
  save(sets: readonly MirrorSet[]): Promise<void>;
}

/** For sets that do not come through an API server's webhook: each is let in or kept out here. */
export function ownAdmission(store: AdmittedStore): AdmissionControl {
  let inForce: readonly MirrorSet[] = [];
  return {
    async load() {
      inForce = await store.load();
    },
    decide({ sets, complete }, context) {
      return admit(complete ? sets : withHeld(sets, inForce), inForce, context);
    },
    commit(admitted) {
      inForce = admitted;
    },
    save: () => store.save(inForce),
  };
}

/**
 * For sets that an API server holds: each has passed the webhook, or was there before it, or came while it was away.
 * All are in force on Linux nodes, and are so on Windows too; what is wrong with them is told in other ways.
 */
export const apiServerAdmission: AdmissionControl = {
  load: () => Promise.resolve(),
  decide: ({ sets }) => ({ admitted: sets, verdicts: [] }),
  commit: () => undefined,
  save: () => Promise.resolve(),
};

/** What is asked for, and what is in force and not named there: it may be in a part that cannot be read. */
function withHeld(sets: readonly MirrorSet[], inForce: readonly MirrorSet[]): readonly MirrorSet[] {
  const named = new Set(sets.map(keyOf));
  return [...sets, ...inForce.filter((set) => !named.has(keyOf(set)))];
}
