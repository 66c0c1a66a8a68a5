import { catalogue } from './catalogue.js';
import { profiles } from './profile.js';

/** The rules as a Markdown table, one row each, in the catalogue's order. */
export function ruleTable(): string {
  const rows = catalogue.map(({ id, summary, why, remedy, actions }) => [
    `\`${id}\``,
    `${sentence(summary)} ${why}`,
    remedy,
    ...profiles.map((profile) => actions[profile]),
  ]);
  const head = ['rule', 'finds, and why it matters', 'what to do', ...profiles];
  return [head, head.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.map(escape).join(' | ')} |`)
    .join('\n');
}

function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** A bar would end the cell, and a star or an angle bracket would be taken for markup. */
function escape(cell: string): string {
  return cell.replace(/[|*<]/g, '\\$&');
}
