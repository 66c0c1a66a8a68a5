import type { Rule } from './rule.js';
import { digestRequired } from './rules/digest-required.js';
import { duplicateMirror } from './rules/duplicate-mirror.js';
import { insecureMirror } from './rules/insecure-mirror.js';
import { invalidReference } from './rules/invalid-reference.js';
import { itmsRegistryWide } from './rules/itms-registry-wide.js';
import { itmsWidenedOnWindows } from './rules/itms-widened-on-windows.js';
import { linuxNodesDrain } from './rules/linux-nodes-drain.js';
import { mirrorChain } from './rules/mirror-chain.js';
import { mirrorOrderConflict } from './rules/mirror-order-conflict.js';
import { neverContactListsSource } from './rules/never-contact-lists-source.js';
import { neverContactWidened } from './rules/never-contact-widened.js';
import { pauseImageUnreachable } from './rules/pause-image-unreachable.js';
import { policyWithoutMirrors } from './rules/policy-without-mirrors.js';
import { registryPolicyMixed } from './rules/registry-policy-mixed.js';
import { sourcePolicyConflict } from './rules/source-policy-conflict.js';
import { unmatchableSource } from './rules/unmatchable-source.js';
import { windowsMirrorPath } from './rules/windows-mirror-path.js';
import { windowsReservedName } from './rules/windows-reserved-name.js';
import { windowsWildcardSource } from './rules/windows-wildcard-source.js';

/** Every rule, in the order in which findings at one place are shown and the documentation lists them. */
export const catalogue: readonly Rule[] = [
  invalidReference,
  windowsMirrorPath,
  windowsWildcardSource,
  itmsRegistryWide,
  itmsWidenedOnWindows,
  digestRequired,
  neverContactWidened,
  sourcePolicyConflict,
  neverContactListsSource,
  registryPolicyMixed,
  policyWithoutMirrors,
  mirrorOrderConflict,
  unmatchableSource,
  mirrorChain,
  pauseImageUnreachable,
  windowsReservedName,
  duplicateMirror,
  linuxNodesDrain,
  insecureMirror,
];

export const ruleIds: readonly string[] = catalogue.map(({ id }) => id);
