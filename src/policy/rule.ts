import type { ImageReference } from '../mirrors/image-reference.js';
import type { InsecureRegistries } from '../mirrors/insecure-registries.js';
import type { MirrorSetIndex } from '../mirrors/mirror-set-index.js';
import type { MirrorSet, ValidEntry } from '../mirrors/mirror-set.js';
import type { ViewOptions } from '../mirrors/registry-view.js';
import type { Action } from './finding.js';
import type { Profile } from './profile.js';

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE';

/** A rule as data: what it is about, why it matters, how to mend it, and a pure function that finds it. */
export interface Rule {
  /** Stable, kebab-case; users write it in policy files and see it in every finding. */
  readonly id: string;
  /** What it finds, in one line. */
  readonly summary: string;
  /** What goes wrong when it is broken. */
  readonly why: string;
  /** How to mend it, whatever the case at hand. */
  readonly remedy: string;
  /** `windows`: entries for Linux nodes alone are not looked at. */
  readonly scope: 'windows' | 'any';
  /** `state`: true of an object as it stands; `change`: about the step from the old object to the new. */
  readonly about: 'state' | 'change';
  /** False when the rule would be wrong, and not only incomplete, without knowing the other mirror sets. */
  readonly objectOnly: boolean;
  readonly operations: readonly Operation[];
  readonly actions: Readonly<Record<Profile, Action>>;
  find(subject: Subject): Iterable<Violation>;
}

/** What a rule looks at. */
export interface Subject {
  readonly operation: Operation;
  /** The set under review; for DELETE, the one that goes away. */
  readonly set: MirrorSet;
  /** The object before an UPDATE. */
  readonly old: MirrorSet | undefined;
  /** The entries of `set` in the rule's scope. */
  readonly entries: readonly ValidEntry[];
  /** All mirror sets before the change, and after it. */
  readonly before: MirrorSetIndex;
  readonly after: MirrorSetIndex;
  readonly settings: RuleSettings;
}

export interface RuleSettings {
  readonly view: ViewOptions;
  readonly pauseImage: ImageReference;
  readonly insecure: InsecureRegistries;
}

/** What a rule finds at one place, before the policy gives it an action. */
export interface Violation {
  /** Field path of the offending value. */
  readonly path: string;
  /** What is wrong and what comes of it, without the rule's id; one line. */
  readonly message: string;
  /** What to do about it; one line. */
  readonly fix: string;
  /** The value to write at `path` instead, where there is one. */
  readonly suggestion?: string;
  /** The offending values as text: the same in the old object and the new, whatever the index of the entry. */
  readonly key: string;
  /** At most this action, whatever the policy says. */
  readonly atMost?: Action;
}

export const createAndUpdate: readonly Operation[] = ['CREATE', 'UPDATE'];
export const everyOperation: readonly Operation[] = ['CREATE', 'UPDATE', 'DELETE'];
