import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import { ruleTable } from '../../src/policy/rule-table.js';
import { rbacTable } from './rbac-table.js';

const path = fileURLToPath(new URL('../../README.md', import.meta.url));
/** What stands between two comments of the README, by the name in them. */
const sections = { rules: ruleTable, rbac: rbacTable };

describe('README', () => {
  it('has the tables of the rule catalogue and of the manifests (npm run docs writes them)', async () => {
    const readme = readFileSync(path, 'utf8');
    let replaced = readme;
    for (const [name, table] of Object.entries(sections)) {
      const section = new RegExp(`(<!-- ${name}: written by npm run docs -->)[^]*?(<!-- end of ${name} -->)`);
      expect(readme).toMatch(section);
      replaced = replaced.replace(
        section,
        (_, start: string, end: string) => `${start}\n\n${table()}\n\n${end}`,
      );
    }
    const written = await format(replaced, { ...(await resolveConfig(path)), filepath: path });
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(path, written);
    else expect(readme).toBe(written);
  });
});
