import type { LocatedReference } from '../../mirrors/mirror-set.js';
import { parseReference } from '../../mirrors/reference.js';
import { createAndUpdate, type Rule, type Violation } from '../rule.js';

export const invalidReference: Rule = {
  id: 'invalid-reference',
  summary: 'a source or mirror that is not a reference',
  why: 'The API server refuses the object; a check before that finds it earlier.',
  remedy:
    'Write host[:port][/path]: no scheme, no tag, no digest, lower case in the path; only a source may be *.domain.',
  scope: 'any',
  about: 'state',
  objectOnly: true,
  operations: createAndUpdate,
  actions: { audit: 'warn', baseline: 'deny', restricted: 'deny' },
  *find({ set }) {
    for (const entry of set.entries) {
      yield* violation(entry.source, true);
      for (const mirror of entry.mirrors) yield* violation(mirror, false);
    }
  },
};

function* violation({ path, text, parsed }: LocatedReference, wildcard: boolean): Iterable<Violation> {
  if (parsed.ok) return;
  const suggestion = repair(text, wildcard);
  yield {
    path,
    message: `${JSON.stringify(shorten(text))} ${parsed.fault}`,
    fix: suggestion === undefined ? 'write it as host[:port][/path]' : `use ${suggestion}`,
    ...(suggestion !== undefined && { suggestion }),
    key: text,
  };
}

/** What was probably meant: without scheme, tag, digest and outer slashes, the path in lower case. */
function repair(text: string, wildcard: boolean): string | undefined {
  const named = text.trim().replace(/^[a-zA-Z][a-zA-Z0-9+.-]*:\/\//, '');
  const bare = withoutTag(withoutSlashes(before(named, named.indexOf('@')))).toLowerCase();
  return parseReference(bare, { wildcard }).ok ? bare : undefined;
}

function before(text: string, end: number): string {
  return end === -1 ? text : text.slice(0, end);
}

/** By hand: a pattern for slashes at the end takes quadratic time where there are many elsewhere. */
function withoutSlashes(text: string): string {
  let end = text.length;
  while (text[end - 1] === '/') end -= 1;
  return text.slice(0, end);
}

/** A colon behind the last slash; without a slash it may be a port. */
function withoutTag(text: string): string {
  const slash = text.lastIndexOf('/');
  return slash === -1 ? text : before(text, text.indexOf(':', slash));
}

function shorten(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 80)}…`;
}
