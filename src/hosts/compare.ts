import { compareText } from '../mirrors/mirror-set.js';
import type { DesiredState } from './desired-state.js';

/** Registry directories by what happens to their file, each list sorted; those in none of the lists stay as they are. */
export interface StateDifference {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** What must change to come from one state to another. */
export function diffStates(before: DesiredState['files'], after: DesiredState['files']): StateDifference {
  return {
    added: sortedDirectories(after, (directory) => !before.has(directory)),
    changed: sortedDirectories(
      after,
      (directory, content) => before.has(directory) && before.get(directory) !== content,
    ),
    removed: sortedDirectories(before, (directory) => !after.has(directory)),
  };
}

function sortedDirectories(
  files: DesiredState['files'],
  matches: (directory: string, content: string) => boolean,
): string[] {
  return [...files]
    .filter(([directory, content]) => matches(directory, content))
    .map(([directory]) => directory)
    .sort(compareText);
}
