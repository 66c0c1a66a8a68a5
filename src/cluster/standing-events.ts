import type { ExistingVerdict } from '../controller/judge-existing.js';
import { keyOf, type MirrorSet } from '../mirrors/mirror-set.js';
import { describeFinding, type Finding } from '../policy/finding.js';
import type { EventRecorder } from './event-recorder.js';
import type { KubeObject } from './kube-object.js';

export interface StandingEventsOptions {
  readonly recorder: Pick<EventRecorder, 'record'>;
  /** The object of a set; `undefined` when it is gone meanwhile. */
  readonly objectOf: (set: MirrorSet) => KubeObject | undefined;
}

/**
 * Tells at the mirror sets themselves what is wrong with them: one Event for each set that would be denied or warned
 * about, again when its findings change, and one when nothing is wrong with it any more.
 */
export class StandingEvents {
  readonly #options: StandingEventsOptions;
  /** What was told last of each set, by its key. */
  #told: ReadonlyMap<string, string> = new Map();

  constructor(options: StandingEventsOptions) {
    this.#options = options;
  }

  /** Takes the verdicts on all sets of the cluster. */
  tell(verdicts: readonly ExistingVerdict[]): void {
    const next = new Map<string, string>();
    for (const { set, judgement } of verdicts) {
      const shown = judgement.findings.filter(({ action }) => action !== 'audit');
      const before = this.#told.get(keyOf(set));
      const now = JSON.stringify(shown);
      if (shown.length > 0) next.set(keyOf(set), now);
      if (shown.length > 0 ? now !== before : before !== undefined) this.#record(set, shown);
    }
    this.#told = next;
  }

  /** Another replica tells from now on: when this one does again, it begins anew. */
  forget(): void {
    this.#told = new Map();
  }

  #record(set: MirrorSet, findings: readonly Finding[]): void {
    const object = this.#options.objectOf(set);
    if (object === undefined) return;
    const { apiVersion = '', metadata } = object;
    this.#options.recorder.record({
      regarding: {
        apiVersion,
        kind: set.kind,
        name: set.name,
        ...(metadata.uid !== undefined && { uid: metadata.uid }),
      },
      action: 'Judge',
      ...wordsFor(set, findings),
    });
  }
}

function wordsFor(
  set: MirrorSet,
  findings: readonly Finding[],
): { type: 'Normal' | 'Warning'; reason: string; note: string } {
  // The gravest stands for all.
  const [first, ...more] = [
    ...findings.filter(({ action }) => action === 'deny'),
    ...findings.filter(({ action }) => action !== 'deny'),
  ];
  if (first === undefined) {
    return {
      type: 'Normal',
      reason: 'PolicyKept',
      note: `${set.kind} "${set.name}" breaks no rule any more`,
    };
  }
  const others = more.length === 0 ? '' : ` (and ${more.length} more: mirrorgate check shows all)`;
  return {
    type: 'Warning',
    reason: first.action === 'deny' ? 'PolicyViolation' : 'PolicyWarning',
    note: `${first.rule} at ${first.path}: ${describeFinding(first)}${others}`,
  };
}
