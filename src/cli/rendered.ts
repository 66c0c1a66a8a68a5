import { parsePullSecret } from '../hosts/pull-secret.js';
import { renderHosts, type RenderedHosts } from '../hosts/render.js';
import { parseInsecureRegistries } from '../mirrors/insecure-registries.js';
import { mergeRegistries } from '../mirrors/registry-view.js';
import type { MirrorPolicy } from '../policy/policy.js';
import { parsePullSecretFile } from '../standalone/pull-secret-file.js';
import { CliError } from './cli-error.js';
import { readText, type Input } from './read-inputs.js';

/** Renders the sets of all inputs together, denied or not. */
export async function renderInputs(
  inputs: readonly Input[],
  policy: MirrorPolicy,
  pullSecretPath: string | undefined,
): Promise<RenderedHosts> {
  const sets = inputs.flatMap(({ parsed }) => parsed.sets.map(({ set }) => set));
  const insecure = parseInsecureRegistries(inputs.flatMap(({ parsed }) => parsed.insecureRegistries));
  const secret = policy.credentials ? await readPullSecret(pullSecretPath) : undefined;
  return renderHosts(mergeRegistries(sets, policy.view), {
    credentials: secret === undefined ? undefined : parsePullSecret(secret),
    insecure: insecure.registries,
  });
}

async function readPullSecret(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const parsed = parsePullSecretFile(await readText(path));
  if (!parsed.ok) throw new CliError(parsed.faults.map((fault) => `${path} ${fault}`).join('\n'));
  return parsed.value;
}
