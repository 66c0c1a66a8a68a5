import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatWarning,
  formatWarnings,
  longestWarning,
  longestWarnings,
} from '../../../src/admission/warnings.js';
import { finding } from './findings.js';

const warn = (overrides: Parameters<typeof finding>[0] = {}) => finding({ action: 'warn', ...overrides });

describe('formatWarning', () => {
  it('gives rule, path, message and fix on one line', () => {
    expect(formatWarning(warn())).toBe(
      'windows-mirror-path: spec.imageTagMirrors[0].mirrors[0]: is wrong; mend it',
    );
  });

  it('says of a finding that the old object had too that it was there before', () => {
    expect(formatWarning(warn({ lowered: true }))).toBe(
      'windows-mirror-path: spec.imageTagMirrors[0].mirrors[0] (was there before): is wrong; mend it',
    );
  });

  it('drops the fix where the whole is too long, and keeps the message whole', () => {
    const message = 'm'.repeat(150);
    expect(formatWarning(warn({ message, fix: 'f'.repeat(100) }))).toBe(
      `windows-mirror-path: spec.imageTagMirrors[0].mirrors[0]: ${message}`,
    );
  });

  it('cuts a message that is too long by itself', () => {
    const text = formatWarning(warn({ message: 'm'.repeat(5000) }));
    expect(text).toHaveLength(longestWarning);
    expect(text.endsWith('m…')).toBe(true);
  });
});

describe('formatWarnings', () => {
  it('warns of what warns alone: a denial has the message, an audit the log', () => {
    const lines = formatWarnings([finding(), finding({ action: 'audit' }), warn({ rule: 'mirror-chain' })]);
    expect(lines).toEqual(['mirror-chain: spec.imageTagMirrors[0].mirrors[0]: is wrong; mend it']);
  });

  it('puts those that would have been denied first, and notices behind', () => {
    const lines = formatWarnings(
      [warn({ rule: 'a' }), warn({ rule: 'b', lowered: true }), warn({ rule: 'c' })],
      ['a notice'],
    );
    expect(lines.map((line) => line.split(':')[0])).toEqual(['b', 'a', 'c', 'a notice']);
  });

  it('counts what there was no room for', () => {
    const lines = formatWarnings(
      Array.from({ length: 10_000 }, () => warn()),
      ['cluster-wide checks were skipped'],
    );
    expect(lines.at(-2)).toBe('cluster-wide checks were skipped');
    expect(lines.at(-1)).toBe(`… and ${10_000 - (lines.length - 2)} more: run mirrorgate check`);
    expect(lines.length).toBeGreaterThan(40);
  });

  it('leaves nothing out as long as all fits exactly', () => {
    const one = warn({
      message: 'm'.repeat(256 - 'windows-mirror-path: spec.imageTagMirrors[0].mirrors[0]: '.length),
    });
    const sixteen = Array.from({ length: 16 }, () => one);
    expect(formatWarnings(sixteen).join('')).toHaveLength(longestWarnings);
    expect(formatWarnings([...sixteen, warn()]).at(-1)).toBe('… and 2 more: run mirrorgate check');
  });

  it('keeps to the bounds of the API server and to what a header carries, whatever the texts', () => {
    const unit = fc.constantFrom('a', 'b', ' ', '\n', '\u001b', '\u2028', '\ud83d', '\ude80', '…');
    const text = fc.array(unit, { maxLength: 400 }).map((parts) => parts.join(''));
    const anyFinding = fc
      .record({ message: text, fix: text, path: text, lowered: fc.boolean() })
      .map((overrides) => warn(overrides));
    fc.assert(
      fc.property(
        fc.array(anyFinding, { maxLength: 80 }),
        fc.array(text, { maxLength: 30 }),
        (findings, notices) => {
          const lines = formatWarnings(findings, notices);
          for (const line of lines) {
            expect(line.length).toBeLessThanOrEqual(longestWarning);
            expect(line).not.toMatch(/[\p{Cc}\p{Cs}]/u);
          }
          expect(lines.join('').length).toBeLessThanOrEqual(longestWarnings);
          const [, omitted] = /^… and (\d+) more: run mirrorgate check$/.exec(lines.at(-1) ?? '') ?? [];
          const shown = omitted === undefined ? lines.length : lines.length - 1;
          expect(shown + Number(omitted ?? 0)).toBe(findings.length + notices.length);
        },
      ),
    );
  });
});
