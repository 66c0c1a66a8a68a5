import { rememberingKeyReader } from '../distribution/private-key.js';
import type { TargetNode } from '../distribution/target-node.js';
import type { PolicySource } from '../controller/sources.js';
import type { Health } from '../serving/health.js';
import { parseInventory } from '../standalone/inventory.js';
import { ManifestDirectory } from '../standalone/manifest-directory.js';
import { parsePullSecretFile } from '../standalone/pull-secret-file.js';
import type { WatchedFile } from '../standalone/watched-file.js';
import { type WatchedFileOptions } from '../standalone/watched-file.js';
import { CliError } from './cli-error.js';
import { followFile, followPolicy, type FollowedFile } from './follow-file.js';
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
  const { events, metrics, health, stops } = options;
  const follow = <T>(what: FollowedFile, path: string, parse: WatchedFileOptions<T>['parse']) =>
    followFile<T>({ what, path, parse, health, stops, metrics, onFile: events.onFile });

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
  const policy = await followPolicy(options);
  return { directory, inventory, pullSecret, policy };
}
