import type { ClusterReflectors, Unsynced } from '../cluster/cluster-reflectors.js';
import type { CheckResult, Health } from '../serving/health.js';

/**
 * Ready as soon as mirror sets can be judged against all others. What distribution alone waits for is told beside it:
 * to take the webhook out of service would mend none of it.
 */
export function addClusterReadiness(health: Health, reflectors: Pick<ClusterReflectors, 'unsynced'>): void {
  health.addReadiness('mirror sets', () => waitingFor(reflectors.unsynced(), 'judging', false));
  health.addReadiness('distribution', () => waitingFor(reflectors.unsynced(), 'distribution', true));
}

function waitingFor(
  unsynced: readonly Unsynced[],
  purpose: Unsynced['purposes'][number],
  ok: boolean,
): CheckResult {
  const missing = unsynced.filter(({ purposes }) => purposes.includes(purpose));
  if (missing.length === 0) return { ok: true };
  const detail = missing
    .map(({ what, fault }) => (fault === undefined ? what : `${what} (${fault.message}; ${fault.hint})`))
    .join(', ');
  return { ok, detail: `waiting for ${detail}` };
}
