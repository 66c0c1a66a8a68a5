import type { LiveContext } from '../cluster/live-context.js';
import { BackgroundJudge, type BackgroundJudgeOptions } from '../controller/background-judge.js';
import { debounce } from '../controller/debounce.js';
import type { MirrorSetSource, PolicySource } from '../controller/sources.js';

export interface JudgeInBackgroundOptions extends Pick<BackgroundJudgeOptions, 'onJudged' | 'onFault'> {
  readonly mirrorSets: MirrorSetSource;
  readonly policy: PolicySource;
  readonly live: Pick<LiveContext, 'insecure'>;
  readonly now: () => Date;
}

/** Judging tells people; it may wait until a burst of changes is over, in ms. */
const quietMs = 1_000;
/** Exemptions end with time, though nothing else changes; in ms. */
const rejudgeMs = 60 * 60_000;

/**
 * Judges all mirror sets of the cluster as soon as they are known, whenever they or the policy change, and every hour.
 *
 * @returns ends it
 */
export function judgeInBackground(options: JudgeInBackgroundOptions): () => Promise<void> {
  const { mirrorSets, policy: policies, live, now, onJudged, onFault } = options;
  const judge = new BackgroundJudge({ onJudged, onFault });
  const judgeAll = () => {
    const snapshot = mirrorSets.current();
    const policy = policies.current();
    if (snapshot === undefined || policy === undefined) return;
    judge.judge(snapshot.sets, { policy, insecure: live.insecure(), now: now() });
  };
  const soon = debounce(judgeAll, quietMs, quietMs * 10);
  const ends = [mirrorSets, policies].map((source) =>
    source.onChange(() => {
      soon.trigger();
    }),
  );
  soon.trigger();
  const hourly = setInterval(judgeAll, rejudgeMs);
  return async () => {
    clearInterval(hourly);
    soon.cancel();
    for (const end of ends) end();
    await judge.stop();
  };
}
