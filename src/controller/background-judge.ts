import type { EvaluationContext } from '../policy/evaluate.js';
import type { MirrorSet } from '../mirrors/mirror-set.js';
import { judgingExisting, type ExistingVerdict } from './judge-existing.js';

/** What the sets of the cluster are judged by. */
export type JudgingContext = Omit<EvaluationContext, 'index' | 'before'>;

export interface BackgroundJudgeOptions {
  readonly onJudged: (verdicts: readonly ExistingVerdict[], context: JudgingContext) => void;
  readonly onFault: (error: unknown) => void;
  /** Lets others have their turn. Default: the event loop's next round. */
  readonly pause?: () => Promise<void>;
  /** Milliseconds that only go forward. */
  readonly now?: () => number;
}

/** The webhook is answered in between: no turn takes much longer than this, in ms. */
const longestTurn = 10;

/**
 * Judges all sets of a cluster again and again, beside everything else that the process does. A newer request ends the
 * run under way: only the newest is of interest.
 */
export class BackgroundJudge {
  readonly #options: BackgroundJudgeOptions;
  readonly #pause: () => Promise<void>;
  readonly #now: () => number;
  #newest = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(options: BackgroundJudgeOptions) {
    this.#options = options;
    this.#pause = options.pause ?? (() => new Promise((resolve) => setImmediate(resolve)));
    this.#now = options.now ?? (() => performance.now());
  }

  judge(sets: readonly MirrorSet[], context: JudgingContext): void {
    this.#newest += 1;
    const request = this.#newest;
    this.#running = this.#running.then(() => this.#run(request, sets, context));
  }

  /** Judges no more; resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#newest += 1;
    await this.#running;
  }

  async #run(request: number, sets: readonly MirrorSet[], context: JudgingContext): Promise<void> {
    if (request !== this.#newest) return;
    try {
      const verdicts: ExistingVerdict[] = [];
      let turn = this.#now();
      for (const verdict of judgingExisting(sets, context)) {
        verdicts.push(verdict);
        if (this.#now() - turn < longestTurn) continue;
        await this.#pause();
        if (request !== this.#newest) return;
        turn = this.#now();
      }
      this.#options.onJudged(verdicts, context);
    } catch (error) {
      this.#options.onFault(error);
    }
  }
}
