import type { SchemaFault } from '../mirrors/mirror-set-schema.js';
import type { MirrorSetKind } from '../mirrors/mirror-set.js';
import type { Finding } from '../policy/finding.js';
import type { Profile } from '../policy/profile.js';
import { printable, shorten } from './printable.js';

/** Who is denied. */
export interface Denied {
  readonly kind: MirrorSetKind;
  readonly name: string;
}

/** Far beyond what anybody reads; a set with thousands of faults must not make an answer of many MiB. */
const longestMessage = 128 * 1024;
const longestLine = 1024;

/** The findings that a message, and the causes beside it, have room for. */
export interface DenyMessage {
  readonly message: string;
  readonly shown: readonly Finding[];
}

/**
 * What a person reads below `admission webhook … denied the request:`. One block for each finding:
 *
 * ```
 * ImageTagMirrorSet "tag-mirror" breaks 1 rule (profile baseline)
 *   windows-mirror-path at spec.imageTagMirrors[0].mirrors[0]
 *     "quay.io/my-org/image" does not end with "remote-org/image": …
 *     fix: use the mirror …
 * ```
 */
export function formatDenial(denied: Denied, findings: readonly Finding[], profile: Profile): DenyMessage {
  const denying = findings.filter(({ action }) => action === 'deny');
  const rules = new Set(denying.map(({ rule }) => rule)).size;
  const head = `${subject(denied)} breaks ${count(rules, 'rule')} (profile ${profile})`;
  const { message, shown } = compose(head, denying, ({ rule, path, message: problem, fix }) => [
    `  ${rule} at ${path}`,
    `    ${line(problem)}`,
    `    fix: ${line(fix)}`,
  ]);
  return { message, shown: denying.slice(0, shown) };
}

/** The same for an object whose fields are not what the API defines. */
export function formatMalformed(denied: Denied, faults: readonly SchemaFault[]): string {
  const head = `${subject(denied)} cannot be read: ${count(faults.length, 'malformed field')}`;
  return compose(head, faults, ({ path, message }) => [`  ${line(path)}`, `    ${line(message)}`]).message;
}

/** The head and as many blocks below it as there is room for. */
function compose<T>(
  head: string,
  items: readonly T[],
  block: (item: T) => readonly string[],
): { readonly message: string; readonly shown: number } {
  const lines = [head];
  let used = head.length;
  for (const [shown, item] of items.entries()) {
    const more = block(item);
    used += more.reduce((sum, each) => sum + each.length + 1, 0);
    if (used > longestMessage) {
      const rest = `  … and ${items.length - shown} more: run mirrorgate check`;
      return { message: [...lines, rest].join('\n'), shown };
    }
    lines.push(...more);
  }
  return { message: lines.join('\n'), shown: items.length };
}

function subject({ kind, name }: Denied): string {
  return `${kind} "${shorten(printable(name), 256)}"`;
}

function line(text: string): string {
  return shorten(printable(text), longestLine);
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
