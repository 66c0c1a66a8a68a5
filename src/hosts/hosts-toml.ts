/** The text of a `hosts.toml`: written, read back and compared, since containerd ignores a broken one without a word. */
import { parse, stringify, TomlError } from 'smol-toml';
import type { HostsFile, HostTable } from './hosts-file.js';

export const managedComment = '# Managed by mirrorgate. Changes are overwritten.';

/**
 * Writes a file. The result is secret material.
 *
 * @throws Error when the text does not read back as the file: a fault in here, never in the input
 */
export function formatHostsToml(file: HostsFile): string {
  const host = Object.fromEntries(file.hosts.map((table) => [table.url, tableKeys(table)]));
  const content = `${managedComment}\n${writeToml({ ...rootKeys(file), host })}`;
  verify(content, file);
  return content;
}

/** TOML text in the layout of all rendered files. */
export function writeToml(document: TomlDocument): string {
  // The arrays of capabilities in the usual layout, without a space inside the brackets. A line that starts with the
  // key is the key: a basic string holds no line break.
  return stringify(document).replace(/^(capabilities = \[) (.*) \]$/gm, '$1$2]');
}

export type TomlDocument = Readonly<Record<string, unknown>>;

/** In the order in which they are written; they must stand before any table. */
function rootKeys({ fallback }: HostsFile): TomlDocument {
  return { server: fallback.url, ...tableKeys(fallback) };
}

function tableKeys({ capabilities, skipVerify, authorization }: HostTable): TomlDocument {
  return {
    ...(capabilities === undefined ? {} : { capabilities }),
    // The address is complete: without this containerd appends `/v2` to it.
    override_path: true,
    ...(skipVerify ? { skip_verify: true } : {}),
    // Taken letter by letter: in lower case it would stand beside the one that containerd sets after a challenge.
    ...(authorization === undefined ? {} : { header: { Authorization: authorization } }),
  };
}

function verify(content: string, file: HostsFile): void {
  const server = file.fallback.url;
  let readBack: TomlDocument;
  try {
    readBack = parse(content);
  } catch (error) {
    throw new Error(`the hosts.toml rendered with server ${server} does not parse`, {
      cause: withoutContent(error),
    });
  }
  // Compared as text and host tables as a list: their order is the order in which they are tried, and each must be there.
  const { host, ...root } = readBack;
  const found = [root, Object.entries(host ?? {})];
  const meant = [rootKeys(file), file.hosts.map((table) => [table.url, tableKeys(table)])];
  if (JSON.stringify(found) !== JSON.stringify(meant)) {
    throw new Error(`the hosts.toml rendered with server ${server} does not say what it should`);
  }
}

/** A parser's error without the lines it quotes, which may hold a credential. */
function withoutContent(error: unknown): Error {
  const place = error instanceof TomlError ? ` at line ${error.line}, column ${error.column}` : '';
  return new Error(`TOML error${place}`);
}
