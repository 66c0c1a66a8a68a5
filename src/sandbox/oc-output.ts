import type { MirrorSet } from '../mirrors/mirror-set.js';
import type { Operation } from '../policy/rule.js';

/** What a person sees of an admission response. */
export interface ShownResponse {
  readonly allowed: boolean;
  readonly warnings?: readonly string[] | undefined;
  readonly status?: { readonly reason: string; readonly message: string } | undefined;
}

/** The name under which the webhook is registered; the API server puts it into every denial. */
export const webhookName = 'mirror-sets.mirrorgate.dev';

const verbs = {
  CREATE: { doing: 'creating', done: 'created' },
  UPDATE: { doing: 'applying', done: 'configured' },
  DELETE: { doing: 'deleting', done: 'deleted' },
} as const satisfies Record<Operation, { doing: string; done: string }>;

/** The lines that `oc` prints for an object after the API server has asked the webhook. */
export function ocOutput(
  operation: Operation,
  file: string,
  set: Pick<MirrorSet, 'kind' | 'name'>,
  response: ShownResponse,
): string {
  const { doing, done } = verbs[operation];
  const warnings = (response.warnings ?? []).map((warning) => `Warning: ${warning}`);
  const result = response.allowed
    ? `${set.kind.toLowerCase()}.config.openshift.io/${set.name} ${done}`
    : `Error from server (${response.status?.reason ?? 'Forbidden'}): error when ${doing} "${file}": admission webhook "${webhookName}" denied the request: ${response.status?.message ?? ''}`;
  return [...warnings, result].join('\n');
}
