import { createHash } from 'node:crypto';
import { compareText } from '../mirrors/mirror-set.js';
import type { DesiredState } from './desired-state.js';

/**
 * SHA-256 (hex) over directories and contents, sorted by directory. They are framed as JSON, so that no two different
 * states give the same text.
 */
export function revisionOf(files: DesiredState['files']): string {
  const sorted = [...files].sort(([left], [right]) => compareText(left, right));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex');
}
