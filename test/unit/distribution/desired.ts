import { createHash } from 'node:crypto';
import type { DesiredState } from '../../../src/hosts/desired-state.js';

/** A desired state with contents that only tests care about. */
export function desiredState(files: Readonly<Record<string, string>>): DesiredState {
  const sorted = Object.entries(files).sort(([left], [right]) => (left < right ? -1 : 1));
  return {
    files: new Map(sorted),
    revision: createHash('sha256').update(JSON.stringify(sorted)).digest('hex'),
  };
}

/** Temporary-file suffixes that differ: 01, 02, … */
export function countingSuffix(): () => string {
  let count = 0;
  return () => (count += 1).toString(16).padStart(2, '0');
}
