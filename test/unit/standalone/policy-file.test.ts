import { describe, expect, it } from 'vitest';
import { parsePolicyFile } from '../../../src/standalone/policy-file.js';

const head = 'apiVersion: mirrorgate.dev/v1alpha1\nkind: MirrorPolicy\n';

describe('parsePolicyFile', () => {
  it('reads a policy', () => {
    const parsed = parsePolicyFile(
      `${head}spec:\n  profile: restricted\n  rules:\n    digest-required: warn\n`,
    );
    expect(parsed).toMatchObject({ ok: true, value: { profile: 'restricted' } });
    expect(parsed.ok && parsed.value.rules.get('digest-required')).toBe('warn');
  });

  it('gives one line for each fault, which begins with the field', () => {
    const parsed = parsePolicyFile(`${head}spec:\n  profile: strict\n  rendering:\n    credentials: maybe\n`);
    expect(parsed).toEqual({
      ok: false,
      faults: [
        'spec.profile: expected one of "audit", "baseline", "restricted"',
        'spec.rendering.credentials: expected boolean, found string',
      ],
    });
  });

  it('gives the fault alone where it is about no field', () => {
    const parsed = parsePolicyFile('spec: [');
    expect(parsed.ok).toBe(false);
    expect(parsed.ok ? [] : parsed.faults).toHaveLength(1);
    expect(parsed.ok ? '' : parsed.faults[0]).not.toMatch(/^: /);
  });
});
