import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../../src/cli/logger.js';
import type { LogFlags } from '../../../src/cli/log-flags.js';

async function logged(flags: Partial<LogFlags>, isTTY = false): Promise<string> {
  let text = '';
  const stderr = { write: (part: string) => (text += part), isTTY };
  const log = createLogger({ stderr, env: {} }, { logLevel: 'info', ...flags });
  log.debug('too quiet');
  log.warn({ node: 'win-1' }, 'win-1: slow');
  await turn();
  return text;
}

describe('createLogger', () => {
  it('writes a JSON object for each line where nobody watches', async () => {
    const text = await logged({});
    expect(JSON.parse(text)).toMatchObject({ level: 40, node: 'win-1', msg: 'win-1: slow' });
  });

  it('writes lines for people on a terminal, or when asked to', async () => {
    expect(await logged({ logFormat: 'text' })).toMatch(/^\[\d\d:\d\d:\d\d\] WARN: win-1: slow\n$/);
    expect(await logged({}, true)).toContain('win-1: slow');
    expect(await logged({}, true)).toContain('\u001b[');
  });

  it('keeps to its level', async () => {
    expect(await logged({ logLevel: 'error' })).toBe('');
    expect(await logged({ logLevel: 'debug' })).toContain('too quiet');
  });
});
