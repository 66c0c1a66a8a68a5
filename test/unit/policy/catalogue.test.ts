import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { catalogue, ruleIds } from '../../../src/policy/catalogue.js';

/** Rules as the design lists them, with their actions in the profiles audit, baseline and restricted. */
const designed = {
  'invalid-reference': ['warn', 'deny', 'deny'],
  'windows-mirror-path': ['audit', 'deny', 'deny'],
  'windows-wildcard-source': ['audit', 'warn', 'deny'],
  'itms-registry-wide': ['audit', 'deny', 'deny'],
  'itms-widened-on-windows': ['audit', 'warn', 'deny'],
  'digest-required': ['audit', 'audit', 'deny'],
  'never-contact-widened': ['audit', 'warn', 'deny'],
  'source-policy-conflict': ['warn', 'deny', 'deny'],
  'never-contact-lists-source': ['warn', 'deny', 'deny'],
  'registry-policy-mixed': ['audit', 'warn', 'warn'],
  'policy-without-mirrors': ['audit', 'warn', 'warn'],
  'mirror-order-conflict': ['audit', 'warn', 'warn'],
  'unmatchable-source': ['audit', 'warn', 'warn'],
  'mirror-chain': ['audit', 'warn', 'warn'],
  'pause-image-unreachable': ['warn', 'warn', 'deny'],
  'windows-reserved-name': ['audit', 'warn', 'deny'],
  'duplicate-mirror': ['audit', 'audit', 'warn'],
  'linux-nodes-drain': ['audit', 'warn', 'warn'],
  'insecure-mirror': ['audit', 'audit', 'warn'],
} as const;

describe('catalogue', () => {
  it('holds the rules of the design in its order, with its actions', () => {
    expect(
      catalogue.map(({ id, actions }) => [id, actions.audit, actions.baseline, actions.restricted]),
    ).toStrictEqual(Object.entries(designed).map(([id, actions]) => [id, ...actions]));
  });

  it('gives each rule an id of its own, in kebab case', () => {
    expect(new Set(ruleIds).size).toBe(catalogue.length);
    for (const id of ruleIds) expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });

  it('has each rule in a file that bears its id, and no file beside', () => {
    const folder = new URL('../../../src/policy/rules/', import.meta.url);
    expect(readdirSync(folder).sort()).toStrictEqual(ruleIds.map((id) => `${id}.ts`).sort());
  });

  it('has a test for each rule', () => {
    const folder = new URL('./rules/', import.meta.url);
    expect(readdirSync(folder).sort()).toStrictEqual(ruleIds.map((id) => `${id}.test.ts`).sort());
  });

  it.each(catalogue)('explains $id in a line each: what, why, how to mend it', (rule) => {
    for (const text of [rule.summary, rule.why, rule.remedy]) {
      expect(text).toMatch(/^\S.{15,}\S$/);
    }
    expect(rule.summary).not.toMatch(/\.$/);
    expect(rule.why).toMatch(/^[A-Za-z].*\.$/);
    expect(rule.remedy).toMatch(/^[A-Z].*\.$/);
  });

  it('asks nothing of a deletion but what comes after it', () => {
    const onDelete = catalogue.filter(({ operations }) => operations.includes('DELETE'));
    expect(onDelete.map(({ id }) => id)).toStrictEqual(['pause-image-unreachable', 'linux-nodes-drain']);
  });

  it('keeps the rules that no label may switch off open to any entry', () => {
    const scopes = new Map(catalogue.map(({ id, scope }) => [id, scope]));
    expect(scopes.get('itms-registry-wide')).toBe('any');
    expect(scopes.get('digest-required')).toBe('any');
  });
});
