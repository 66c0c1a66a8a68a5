import type { MirrorSetKind } from '../mirrors/mirror-set.js';

export const actions = ['deny', 'warn', 'audit'] as const;

/** `deny` refuses the object, `warn` is shown to whoever applies it, `audit` is recorded. */
export type Action = (typeof actions)[number];

/** One rule's result at one field path. */
export interface Finding {
  readonly rule: string;
  readonly action: Action;
  readonly kind: MirrorSetKind;
  readonly name: string;
  /** Field path: `spec.imageTagMirrors[0].mirrors[1]`. */
  readonly path: string;
  readonly message: string;
  readonly fix: string;
  readonly suggestion?: string;
  /** It would have been denied, but the old object had it too, or nothing but metadata changes. */
  readonly lowered?: boolean;
}

/** Problem and fix as one line: for warnings, logs and JSON. */
export function describeFinding(finding: Pick<Finding, 'message' | 'fix'>): string {
  return `${finding.message}; ${finding.fix}`;
}

/** Most severe first. */
export function compareActions(left: Action, right: Action): number {
  return actions.indexOf(left) - actions.indexOf(right);
}

/** Orders field paths as the fields stand in the object: by entry, then by mirror. */
export function comparePaths(left: string, right: string): number {
  const [lefts, rights] = [left, right].map((path) => path.match(/\d+|[^.[\]\d]+/g) ?? []);
  for (let at = 0; at < Math.max(lefts?.length ?? 0, rights?.length ?? 0); at += 1) {
    const [one, other] = [lefts?.[at], rights?.[at]];
    if (one === other) continue;
    if (one === undefined) return -1;
    if (other === undefined) return 1;
    const difference = Number(one) - Number(other);
    if (Number.isFinite(difference)) return difference;
    return one < other ? -1 : 1;
  }
  return 0;
}
