import { parse, TomlDate } from 'smol-toml';
import { managedComment, writeToml } from './hosts-toml.js';

export const redacted = '<redacted>';

/**
 * The content of a `hosts.toml` with every header's value replaced, for previews and diffs. Of a rendered file all
 * other bytes stay the same. Content that someone else wrote loses its comments and layout, which may hold anything;
 * content that is not TOML is withheld.
 */
export function withoutCredentials(content: string): string {
  let document: Table;
  try {
    document = parse(content);
  } catch {
    return '# not TOML: content withheld\n';
  }
  const comment = content.startsWith(`${managedComment}\n`) ? `${managedComment}\n` : '';
  return comment + writeToml(redactTable(document));
}

function redactTable(table: Table): Table {
  // containerd matches keys whatever their case.
  return mapValues(table, (value, key) =>
    key.toLowerCase() === 'header' ? redactHeader(value) : redactValue(value),
  );
}

function redactHeader(value: unknown): unknown {
  return isTable(value) ? mapValues(value, () => redacted) : redacted;
}

function redactValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redactValue);
  return isTable(value) ? redactTable(value) : value;
}

function mapValues(table: Table, replace: (value: unknown, key: string) => unknown): Table {
  return Object.fromEntries(Object.entries(table).map(([key, value]) => [key, replace(value, key)]));
}

type Table = Readonly<Record<string, unknown>>;

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof TomlDate);
}
