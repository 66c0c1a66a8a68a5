import type { TargetNode } from '../distribution/target-node.js';
import type { MirrorSet } from '../mirrors/mirror-set.js';
import type { MirrorPolicy } from '../policy/policy.js';

/** A value that changes over time: a directory, a file, or objects of a cluster. */
export interface Source<T> {
  /** The newest good value; `undefined` until there is one. */
  current(): T | undefined;
  /** Calls back after the value has changed. What it returns ends that. */
  onChange(listener: () => void): () => void;
}

/** What the cluster, or a directory of manifests, asks for. */
export interface MirrorSetSnapshot {
  readonly sets: readonly MirrorSet[];
  /**
   * False while some of what is asked for cannot be read and was never read before: a set that is not among `sets` may
   * then be there all the same.
   */
  readonly complete: boolean;
  /** `insecureRegistries` of the cluster image config. */
  readonly insecureRegistries: readonly string[];
}

export type MirrorSetSource = Source<MirrorSetSnapshot>;
export type NodeSource = Source<readonly TargetNode[]>;
/** The content of the pull secret's `.dockerconfigjson`, or `null` when there is none. Secret material. */
export type SecretSource = Source<string | null>;
export type PolicySource = Source<MirrorPolicy>;
