import { describe, expect, it } from 'vitest';
import type { HostsFile, HostTable } from '../../../src/hosts/hosts-file.js';
import { formatHostsToml } from '../../../src/hosts/hosts-toml.js';

const table: HostTable = {
  url: 'https://m.io/v2',
  capabilities: ['pull'],
  skipVerify: false,
  authorization: undefined,
};

function file(hosts: readonly HostTable[]): HostsFile {
  return { fallback: { ...table, url: 'https://quay.io/v2', capabilities: undefined }, hosts };
}

/** The error that formatting ends in, as all that a log would show of it. */
function failureOf(given: HostsFile): string {
  try {
    formatHostsToml(given);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return [error.stack, (error.cause as Error | undefined)?.stack].join('\n');
  }
  throw new Error('expected formatting to fail');
}

describe('formatHostsToml', () => {
  it('writes quotes and line breaks so that they read back', () => {
    const content = formatHostsToml(file([{ ...table, authorization: 'a"b\\c\ncapabilities = [ "x" ]' }]));
    expect(content).toContain('Authorization = "a\\"b\\\\c\\ncapabilities = [ \\"x\\" ]"');
  });

  it('refuses a file in which one URL stands twice, where the second would be lost', () => {
    expect(failureOf(file([table, table]))).toContain('does not say what it should');
  });

  it('refuses host entries that would change their order', () => {
    expect(failureOf(file([table, { ...table, url: '1' }]))).toContain('does not say what it should');
  });

  it('refuses what TOML cannot hold, and does not repeat it', () => {
    const failure = failureOf(file([{ ...table, authorization: 'Basic sEcReT\ud800' }]));
    expect(failure).toContain('server https://quay.io/v2');
    expect(failure).not.toContain('sEcReT');
  });
});
