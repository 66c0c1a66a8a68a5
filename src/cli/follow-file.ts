import type { PolicySource } from '../controller/sources.js';
import { defaultPolicy, type MirrorPolicy } from '../policy/policy.js';
import type { Profile } from '../policy/profile.js';
import type { Health } from '../serving/health.js';
import type { Metrics } from '../serving/metrics.js';
import { parsePolicyFile } from '../standalone/policy-file.js';
import { WatchedFile, type WatchedFileOptions } from '../standalone/watched-file.js';
import { CliError } from './cli-error.js';
import { withProfile } from './load-policy.js';
import type { CommonEvents } from './log-events.js';

export type FollowedFile = Parameters<CommonEvents['onFile']>[0];

interface FollowOptions {
  readonly metrics: Metrics;
  readonly health: Health;
  /** Takes what ends the following. */
  readonly stops: (() => Promise<void>)[];
}

export interface FollowFileOptions<T> extends FollowOptions {
  readonly what: FollowedFile;
  readonly path: string;
  readonly parse: WatchedFileOptions<T>['parse'];
  readonly onFile: CommonEvents['onFile'];
}

/**
 * Reads a file that the command line names, and follows it from then on.
 *
 * @throws CliError when nothing in it can be used
 */
export async function followFile<T>(options: FollowFileOptions<T>): Promise<WatchedFile<T>> {
  const { what, path, parse, onFile, metrics, health, stops } = options;
  let broken: readonly string[] = [];
  let started = false;
  const file = new WatchedFile<T>({
    path,
    parse,
    onRead: (faults) => {
      broken = faults;
      if (!started) return;
      onFile(what, path, faults);
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
}

export interface FollowPolicyOptions extends FollowOptions {
  /** The policy file; without one, the built-in policy holds. */
  readonly policy?: string | undefined;
  readonly profile?: Profile | undefined;
  readonly events: Pick<CommonEvents, 'onFile'>;
}

/** The policy that the flags choose, followed as its file changes. */
export async function followPolicy(options: FollowPolicyOptions): Promise<PolicySource> {
  const { policy: path, profile, events, ...rest } = options;
  if (path === undefined) {
    const policy = defaultPolicy(profile);
    return { current: () => policy, onChange: () => () => undefined };
  }
  return followFile<MirrorPolicy>({
    ...rest,
    what: 'policy',
    path,
    onFile: events.onFile,
    parse: (text) => {
      const parsed = parsePolicyFile(text);
      return parsed.ok ? { ok: true, value: withProfile(parsed.value, profile) } : parsed;
    },
  });
}
