import { createHmac, timingSafeEqual } from 'node:crypto';
import {
  fingerprintOf,
  keyTypeOf,
  knownHostsName,
  type HostKeyVerdict,
  type SshHost,
} from './host-key-store.js';

/**
 * The known_hosts format (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"): plain names, comma lists, `[host]:port`, `*` and
 * `?`, `!`, hashed names, `@revoked`. Lines with `@cert-authority`, and lines that cannot be read, are passed over as
 * OpenSSH does.
 */
export interface KnownHostLine {
  /** Line number in the file, from 1. */
  readonly line: number;
  readonly revoked: boolean;
  /** Host patterns as written, separated by commas, or one hashed name. */
  readonly patterns: string;
  /** Public key in SSH wire format. */
  readonly key: Buffer;
}

export function parseKnownHosts(text: string): KnownHostLine[] {
  return text.split(/\r?\n/).flatMap((content, index) => {
    const fields = content.trim().split(/[ \t]+/);
    const marker = fields[0]?.startsWith('@') === true ? fields.shift() : undefined;
    const [patterns, type, encoded] = fields;
    if (patterns === undefined || patterns.startsWith('#') || type === undefined || encoded === undefined)
      return [];
    if (marker !== undefined && marker !== '@revoked') return [];
    const key = Buffer.from(encoded, 'base64');
    return keyTypeOf(key) === type ? [{ line: index + 1, revoked: marker !== undefined, patterns, key }] : [];
  });
}

/** The lines that speak of a host, by its address or its name. */
export function linesFor<Line extends KnownHostLine>(lines: readonly Line[], host: SshHost): Line[] {
  const names = new Set([knownHostsName(host.address, host.port), knownHostsName(host.name, host.port)]);
  return lines.filter(({ patterns }) => [...names].some((name) => matchesPatterns(patterns, name)));
}

/** Judges a key by the lines for its host; `undefined` when no line says anything about the host. */
export function judgeKey<Line extends KnownHostLine>(
  lines: readonly Line[],
  key: Buffer,
  hint: (about: readonly Line[]) => string,
): HostKeyVerdict | undefined {
  const found = fingerprintOf(key);
  const trusted = lines.filter(({ revoked }) => !revoked);
  const expected = trusted.map((line) => fingerprintOf(line.key));
  const revoked = lines.filter((line) => line.revoked && line.key.equals(key));
  if (revoked.length > 0) return { accepted: false, reason: 'revoked', expected, found, hint: hint(revoked) };
  if (trusted.some((line) => line.key.equals(key))) return { accepted: true, pinned: false };
  if (trusted.length > 0) return { accepted: false, reason: 'changed', expected, found, hint: hint(trusted) };
  return undefined;
}

/** Text of a known_hosts file with one more pin, under the host's address. */
export function withPin(text: string, host: SshHost, key: Buffer): string {
  const type = keyTypeOf(key);
  if (type === undefined) throw new Error('the host sent something that is not a public key');
  const start = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  return `${start}${knownHostsName(host.address, host.port)} ${type} ${key.toString('base64')}\n`;
}

export function keyTypes(lines: readonly KnownHostLine[]): string[] {
  const types = lines.filter(({ revoked }) => !revoked).map(({ key }) => keyTypeOf(key));
  return [...new Set(types.filter((type) => type !== undefined))];
}

function matchesPatterns(patterns: string, name: string): boolean {
  if (patterns.startsWith('|')) return matchesHash(patterns, name);
  let matched = false;
  for (const pattern of patterns.toLowerCase().split(',')) {
    const negated = pattern.startsWith('!');
    if (!matchesGlob(negated ? pattern.slice(1) : pattern, name)) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}

/** `|1|salt|hash`: HMAC-SHA-1 of the name under the salt. */
function matchesHash(hashed: string, name: string): boolean {
  const [, version, salt, expected] = hashed.split('|');
  if (version !== '1' || salt === undefined || expected === undefined) return false;
  const digest = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
  const wanted = Buffer.from(expected, 'base64');
  return digest.length === wanted.length && timingSafeEqual(digest, wanted);
}

/** `*` and `?`. Goes back to the last `*` only, so that its time is bounded by the product of the lengths. */
function matchesGlob(pattern: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  for (let index = 0; index < name.length;) {
    const expected = pattern[at];
    if (expected === '*') {
      star = at;
      at += 1;
      resume = index;
    } else if (expected === '?' || expected === name[index]) {
      at += 1;
      index += 1;
    } else if (star !== -1) {
      at = star + 1;
      resume += 1;
      index = resume;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(at));
}
