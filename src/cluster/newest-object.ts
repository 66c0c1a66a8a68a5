import type { KubeObject } from './kube-object.js';

/**
 * The newest state that is known of one object: as a source shows it, or as the own last write left it as long as the
 * source has not caught up.
 */
export class NewestObject {
  #shown: KubeObject | undefined;
  #written: KubeObject | undefined;
  /** The source has shown some state of the object that was written. */
  #met = false;
  /** The object of this uid is known to be gone, whatever the source still shows. */
  #goneUid: string | undefined;

  /** `undefined` when there is no such object. */
  current(): KubeObject | undefined {
    return this.#written ?? this.#live();
  }

  /** What the source shows now. */
  show(shown: KubeObject | undefined): void {
    this.#shown = shown;
    const written = this.#written;
    if (written === undefined) return;
    const isMet = shown !== undefined && shown.metadata.uid === written.metadata.uid;
    if (isMet) this.#met = true;
    // Not shown any more, or replaced by another: what was written is history. Not shown yet: it is to come.
    const isPast = isMet ? !isLater(written, shown) : this.#met || this.#live() !== undefined;
    if (isPast) this.#written = undefined;
  }

  /** The answer to an own write. */
  wrote(object: KubeObject): void {
    this.#written = object;
    this.#met = false;
    // The source may have been faster than the answer.
    this.show(this.#shown);
  }

  /** An object is gone: removed from here, or found missing. */
  removed({ metadata: { uid } }: KubeObject): void {
    this.#goneUid = uid;
    if (this.#written?.metadata.uid === uid) this.#written = undefined;
  }

  /** Whether something was written that the source has never shown. */
  isAwaited(): boolean {
    return this.#written !== undefined && !this.#met;
  }

  /** Counts on it no longer. */
  forgetWritten(): void {
    this.#written = undefined;
  }

  /** Whether there is nothing to know: neither shown nor written. */
  isUnknown(): boolean {
    return this.#shown === undefined && this.#written === undefined;
  }

  #live(): KubeObject | undefined {
    const isGone = this.#goneUid !== undefined && this.#shown?.metadata.uid === this.#goneUid;
    return isGone ? undefined : this.#shown;
  }
}

/** Versions of one object grow; where they are no numbers, what is shown counts. */
function isLater(written: KubeObject, shown: KubeObject): boolean {
  const versions = [written, shown].map(({ metadata }) => metadata.resourceVersion ?? '');
  if (!versions.every((version) => /^\d+$/.test(version))) return false;
  const [left = 0n, right = 0n] = versions.map(BigInt);
  return left > right;
}
