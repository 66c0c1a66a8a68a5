import { rememberingKeyReader } from '../distribution/private-key.js';
import type { TargetNode } from '../distribution/target-node.js';
import type { PolicySource } from '../controller/sources.js';
import { defaultPolicy, type MirrorPolicy } from '../policy/policy.js';
import type { Health } from '../serving/health.js';
import { parseInventory } from '../standalone/inventory.js';
import { ManifestDirectory } from '../standalone/manifest-directory.js';
import { parsePolicyFile } from '../standalone/policy-file.js';
import { parsePullSecretFile } from '../standalone/pull-secret-file.js';
import { WatchedFile, type WatchedFileOptions } from '../standalone/watched-file.js';
import { CliError } from './cli-error.js';
import { withProfile } from './load-policy.js';
import type { StandaloneOptions } from './run-standalone.js';

/** What standalone mode works from. */
export interface StandaloneSources {
  readonly directory: ManifestDirectory;
  readonly inventory: WatchedFile<readonly TargetNode[]>;
  readonly policy: PolicySource;
  readonly pullSecret: WatchedFile<string> | undefined;
}

export interface StandaloneSourcesOptions extends Pick<
  StandaloneOptions,
  'manifests' | 'inventory' | 'policy' | 'profile' | 'pullSecret' | 'metrics' | 'events' | 'now'
> {
  readonly health: Health;
  /** Takes what ends the following of each source. */
  readonly stops: (() => Promise<void>)[];
}

/**
 * Reads every file and folder once, and follows them from then on.
 *
 * @throws CliError when one of them has nothing that can be used
 */
export async function startSources(options: StandaloneSourcesOptions): Promise<StandaloneSources> {
  const { events, metrics, profile, health, stops } = options;
  const follow = async <T>(
    what: 'policy' | 'inventory' | 'pull secret',
    path: string,
    parse: WatchedFileOptions<T>['parse'],
  ): Promise<WatchedFile<T>> => {
    let broken: readonly string[] = [];
    let started = false;
    const file = new WatchedFile<T>({
      path,
      parse,
      onRead: (faults) => {
        broken = faults;
        if (!started) return;
        events.onFile(what, path, faults);
        if (what === 'policy') (faults.length === 0 ? metrics.policyReloaded : metrics.policyRefused)();
      },
    });
    stops.push(() => file.stop());
    await file.start();
    started = true;
    if (file.current() === undefined)
      throw new CliError(broken.map((fault) => `${what} ${path}: ${fault}`).join('\n'));
    // The last good version is in force: that is no reason to take the process out of service, but to say so.
    health.addReadiness(what, () => ({
      ok: true,
      ...(broken[0] !== undefined && { detail: `broken, the last good one is in force: ${broken[0]}` }),
    }));
    return file;
  };

  const directory = new ManifestDirectory({
    path: options.manifests,
    onFaults: events.onDirectoryFaults,
    now: () => options.now().getTime(),
  });
  stops.push(() => directory.stop());
  try {
    await directory.start();
  } catch (error) {
    throw new CliError(`cannot read the manifests in ${options.manifests}`, {
      hint: '--manifests names a directory of YAML or JSON files',
      cause: error,
    });
  }

  // One for all readings: to decrypt a key takes long, and the file is looked at again and again.
  const readKey = rememberingKeyReader();
  const inventory = await follow('inventory', options.inventory, (text) =>
    parseInventory(text, options.inventory, readKey),
  );
  const pullSecret =
    options.pullSecret === undefined
      ? undefined
      : await follow<string>('pull secret', options.pullSecret, parsePullSecretFile);
  if (options.policy === undefined) {
    return {
      directory,
      inventory,
      pullSecret,
      policy: { current: () => defaultPolicy(profile), onChange: () => () => undefined },
    };
  }
  const file = await follow<MirrorPolicy>('policy', options.policy, (text) => {
    const parsed = parsePolicyFile(text);
    return parsed.ok ? { ok: true, value: withProfile(parsed.value, profile) } : parsed;
  });
  return { directory, inventory, pullSecret, policy: file };
}
