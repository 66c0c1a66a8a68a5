import type { SourcePosition } from '../mirrors/manifest.js';
import type { Paint } from './io.js';

const linesBefore = 2;
const longestLine = 160;

/** The lines of a file up to a position, with a marker under the value that starts there. */
export function codeFrame(
  text: string,
  position: Pick<SourcePosition, 'line' | 'column'>,
  paint: Paint,
): string {
  const lines = text.split(/\r\n|\r|\n/);
  const first = Math.max(1, position.line - linesBefore);
  const width = String(position.line).length;
  const frame = lines.slice(first - 1, position.line).map((line, index) => {
    const number = first + index;
    const marker = number === position.line ? '>' : ' ';
    return `${marker} ${String(number).padStart(width)} | ${line.slice(0, longestLine)}`;
  });
  const target = lines[position.line - 1] ?? '';
  const value = /^\S+(?: \S+)*/.exec(target.slice(position.column - 1))?.[0] ?? '';
  if (position.column <= longestLine) {
    const carets = '^'.repeat(Math.max(1, Math.min(value.length, longestLine - position.column + 1)));
    frame.push(`  ${' '.repeat(width)} | ${' '.repeat(position.column - 1)}${paint('red', carets)}`);
  }
  return frame.join('\n');
}
