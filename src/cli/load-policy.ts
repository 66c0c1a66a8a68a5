import { defaultPolicy, type MirrorPolicy } from '../policy/policy.js';
import type { Profile } from '../policy/profile.js';
import { parsePolicyFile } from '../standalone/policy-file.js';
import { CliError } from './cli-error.js';
import { readText } from './read-inputs.js';

/** The flags that choose a policy. */
export interface PolicyFlags {
  readonly policy?: string;
  readonly profile?: Profile;
}

/**
 * The policy that the flags choose: a file, the default without one, and the flag's profile in either's place.
 *
 * @throws CliError that names the file and each fault's field
 */
export async function loadPolicy({ policy: file, profile }: PolicyFlags): Promise<MirrorPolicy> {
  if (file === undefined) return defaultPolicy(profile);
  const parsed = parsePolicyFile(await readText(file));
  if (!parsed.ok) throw new CliError(parsed.faults.map((fault) => `${file}: ${fault}`).join('\n'));
  return withProfile(parsed.value, profile);
}

/** The policy with another profile where one is given. */
export function withProfile(policy: MirrorPolicy, profile: Profile | undefined): MirrorPolicy {
  return profile === undefined ? policy : { ...policy, profile };
}
