import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import { ruleTable } from '../../src/policy/rule-table.js';

const path = fileURLToPath(new URL('../../README.md', import.meta.url));
const section = /(<!-- rules: written by npm run docs -->)[^]*?(<!-- end of rules -->)/;

describe('README', () => {
  it('has the rule table of the catalogue (npm run docs writes it)', async () => {
    const readme = readFileSync(path, 'utf8');
    expect(readme).toMatch(section);
    const replaced = readme.replace(
      section,
      (_, start: string, end: string) => `${start}\n\n${ruleTable()}\n\n${end}`,
    );
    const written = await format(replaced, { ...(await resolveConfig(path)), filepath: path });
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(path, written);
    else expect(readme).toBe(written);
  });
});
