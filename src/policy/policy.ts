import { parseImage, type ImageReference } from '../mirrors/image-reference.js';
import { parseReference } from '../mirrors/reference.js';
import type { ViewOptions } from '../mirrors/registry-view.js';
import type { Exemption } from './exemption.js';
import type { Action } from './finding.js';
import type { Profile } from './profile.js';
import type { Rule } from './rule.js';

/** What platform teams decide: which rules deny, what is exempt, what Linux alone uses, how mirrors are rendered. */
export interface MirrorPolicy {
  readonly profile: Profile;
  /** Actions that differ from the profile's, by rule id. */
  readonly rules: ReadonlyMap<string, Action | 'off'>;
  /** Linux-only sources, and what becomes of mirrors that break the naming rule. */
  readonly view: ViewOptions;
  /** The image that every Windows pod starts with. */
  readonly pauseImage: ImageReference;
  /** Write credentials of the pull secret into `hosts.toml`. */
  readonly credentials: boolean;
  readonly exemptions: readonly Exemption[];
}

export const defaultLinuxOnlySources: readonly string[] = ['quay.io/openshift-release-dev'];
/** containerd's `sandbox_image` on nodes that WMCO configures. */
export const defaultPauseImage = 'mcr.microsoft.com/oss/kubernetes/pause:3.9';

/** The policy when no file says otherwise. */
export function defaultPolicy(profile: Profile = 'baseline'): MirrorPolicy {
  const pauseImage = parseImage(defaultPauseImage);
  if (!pauseImage.ok) throw new Error(`the default pause image ${pauseImage.fault}`);
  return {
    profile,
    rules: new Map(),
    view: {
      naming: 'shorten',
      linuxOnlySources: defaultLinuxOnlySources.flatMap((text) => {
        const parsed = parseReference(text, { wildcard: true });
        return parsed.ok ? [parsed.reference] : [];
      }),
    },
    pauseImage: pauseImage.image,
    credentials: true,
    exemptions: [],
  };
}

/** What a policy does with a rule's findings. */
export function actionOf(policy: MirrorPolicy, rule: Rule): Action | 'off' {
  return policy.rules.get(rule.id) ?? rule.actions[policy.profile];
}
