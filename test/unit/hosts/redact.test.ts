import { describe, expect, it } from 'vitest';
import { formatHostsToml } from '../../../src/hosts/hosts-toml.js';
import type { HostsFile } from '../../../src/hosts/hosts-file.js';
import { withoutCredentials } from '../../../src/hosts/redact.js';

const secret = 'Basic c2VjcmV0OnNlY3JldA==';

function file(authorization: string | undefined): HostsFile {
  return {
    fallback: { url: 'https://quay.io/v2', capabilities: undefined, skipVerify: true, authorization },
    hosts: [
      { url: 'https://m.io/v2/org', capabilities: ['pull', 'resolve'], skipVerify: false, authorization },
    ],
  };
}

describe('withoutCredentials', () => {
  it('replaces header values at the top level and in host entries, and leaves every other byte', () => {
    const content = formatHostsToml(file(secret));
    expect(content.split(secret)).toHaveLength(3);
    expect(withoutCredentials(content)).toBe(content.replaceAll(secret, '<redacted>'));
  });

  it('gives back a rendered file without credentials as it is', () => {
    const content = formatHostsToml(file(undefined));
    expect(withoutCredentials(content)).toBe(content);
  });

  it.each([
    ['an inline table', `[host."https://m"]\nheader = { authorization = "${secret}" }`],
    ['a dotted key', `header.authorization = '${secret}'`],
    ['several values', `[header]\nx-token = ["${secret}", "${secret}"]`],
    ['a multi-line value', `[header]\nx-token = """\n${secret}\n"""`],
    ['a header that is no table', `header = "${secret}"`],
    ['keys in other case', `[HOST."https://m".Header]\nAUTHORIZATION = "${secret}"`],
    ['an array of tables', `[[host]]\nheader = { a = "${secret}" }`],
    ['a comment', `server = "https://m" # ${secret}`],
  ])('finds credentials that someone else wrote as %s', (_, content) => {
    expect(withoutCredentials(content)).not.toContain(secret);
    expect(withoutCredentials(content)).not.toContain('Managed by mirrorgate');
  });

  it('withholds what is not TOML', () => {
    expect(withoutCredentials(`[header\nAuthorization = "${secret}"`)).toBe('# not TOML: content withheld\n');
  });

  it('keeps values that only look like tables', () => {
    expect(withoutCredentials('since = 2024-01-01T00:00:00Z\n')).toContain('2024-01-01');
  });
});
