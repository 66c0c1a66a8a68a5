import type { MirrorPolicy } from '../policy/policy.js';
import { parsePolicy } from '../policy/policy-schema.js';
import type { ParsedFile } from './watched-file.js';

/** Reads a policy file; each fault is one line that names the field and what was expected there. */
export function parsePolicyFile(text: string): ParsedFile<MirrorPolicy> {
  const parsed = parsePolicy(text);
  return parsed.ok
    ? { ok: true, value: parsed.policy }
    : {
        ok: false,
        faults: parsed.faults.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)),
      };
}
