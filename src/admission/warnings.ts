import { compareActions, describeFinding, type Finding } from '../policy/finding.js';
import { printable, shorten } from './printable.js';

/** The API server may cut a longer warning, and drops what goes beyond the total; both in characters. */
export const longestWarning = 256;
export const longestWarnings = 4096;

/** Notices have this much of the total for certain, and no more: findings must not crowd them out, nor they findings. */
const noticesShare = 1024;

/**
 * What `kubectl` prints as `Warning: …`: one line per finding that warns, those that would have been denied first, and
 * the notices; then how many there was no room for.
 */
export function formatWarnings(findings: readonly Finding[], notices: readonly string[] = []): string[] {
  const lines = findings
    .filter(({ action }) => action === 'warn')
    .toSorted((left, right) => compareActions(severity(left), severity(right)))
    .map(formatWarning);
  const notes = notices.map((notice) => shorten(printable(notice), longestWarning));

  const keptNotes = fitting(notes, noticesShare);
  const room = longestWarnings - lengthOf(keptNotes);
  const total = lines.length + notes.length;
  if (keptNotes.length === notes.length && lengthOf(lines) <= room) return [...lines, ...notes];

  const keptLines = fitting(lines, room - omitted(total).length);
  return [...keptLines, ...keptNotes, omitted(total - keptLines.length - keptNotes.length)];
}

/** `<rule>: <path>: <message>; <fix>`, without the fix where that is too long, and then cut. */
export function formatWarning(finding: Finding): string {
  const place = `${finding.rule}: ${finding.path}${finding.lowered === true ? ' (was there before)' : ''}: `;
  const whole = printable(place + describeFinding(finding));
  return whole.length <= longestWarning ? whole : shorten(printable(place + finding.message), longestWarning);
}

function severity({ action, lowered }: Finding): Finding['action'] {
  return lowered === true ? 'deny' : action;
}

function omitted(count: number): string {
  return `… and ${count} more: run mirrorgate check`;
}

/** The longest beginning of the list that has room. */
function fitting(lines: readonly string[], room: number): string[] {
  let used = 0;
  const end = lines.findIndex((line) => (used += line.length) > room);
  return lines.slice(0, end === -1 ? lines.length : end);
}

function lengthOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length, 0);
}
