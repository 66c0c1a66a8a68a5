import type { MirrorSet } from '../mirrors/mirror-set.js';
import type { ApiError } from './api-error.js';
import type { KubeObject } from './kube-object.js';
import { NewestObject } from './newest-object.js';
import type { ObjectSource } from './object-source.js';
import { policyReport, showsReport, type ReportResource } from './policy-report.js';
import type { ReportContent } from './report-content.js';

/** mirrorgate's own reports of one kind: unknown until they were listed, none where the kind is not installed. */
export interface ReportSource extends ObjectSource {
  status(): { readonly installed: boolean };
}

/** The object of a set; `undefined` when it is gone meanwhile. */
export type ObjectOf = (set: MirrorSet) => KubeObject | undefined;

/** What is to be said about a set. The same content is the same object, so that it need not be compared again. */
export interface Wish {
  readonly set: MirrorSet;
  readonly content: ReportContent;
}

/** All reports of one kind that are there or should be. */
export interface ReportKind {
  readonly resource: ReportResource;
  readonly source: ReportSource;
  /** By name. */
  readonly entries: Map<string, ReportEntry>;
}

/** What is to be done about one report. */
export type Step =
  | { readonly verb: 'create'; readonly report: KubeObject; readonly object: undefined }
  | { readonly verb: 'replace'; readonly report: KubeObject; readonly object: KubeObject }
  | { readonly verb: 'remove'; readonly report: undefined; readonly object: KubeObject };

/** A step that has to wait. */
export interface Pause {
  /** Whether this step has to wait too. */
  readonly holds: (step: Step) => boolean;
  readonly cancel: () => void;
}

/** One report, there or not: what is wanted of it, what is known of it, and what is under way. */
export class ReportEntry {
  readonly object = new NewestObject();
  /** `undefined`: there should be none. */
  wish: Wish | undefined;
  /** Queued, or being written. */
  busy = false;
  failures = 0;
  /** What is to be told about the last failure. */
  fault: ApiError | undefined;
  /** How often a report was written again that had been written before: somebody else keeps changing it. */
  repeats = 0;
  pause: Pause | undefined;
  cancelAwait: () => void = () => undefined;

  /** Made from the wish, for as long as the set's object is the same one. */
  #made: { content: ReportContent; uid: string | undefined; report: KubeObject } | undefined;
  /** How the server keeps a report that was written: its schema may not know every field. */
  #kept: { report: KubeObject; object: KubeObject } | undefined;
  /** An object that was found to show a report: not compared again. */
  #matched: { report: KubeObject; object: KubeObject } | undefined;
  readonly #waiting: (() => void)[] = [];

  constructor(
    readonly kind: ReportKind,
    readonly name: string,
  ) {}

  /** What is to be done now; `undefined` when all is as it should be, or cannot be changed. */
  step(objectOf: ObjectOf): Step | undefined {
    const object = this.object.current();
    // Held by somebody's finalizer: it is gone soon, and made anew then.
    if (object?.metadata.deletionTimestamp !== undefined) return undefined;
    if (this.wish === undefined) return object && { verb: 'remove', report: undefined, object };
    const report = this.#report(this.wish, objectOf);
    // The set is gone, which the next verdicts will say.
    if (report === undefined) return undefined;
    if (object === undefined) return { verb: 'create', report, object };
    return this.#isShown(object, report) ? undefined : { verb: 'replace', report, object };
  }

  wrote(report: KubeObject, object: KubeObject): void {
    this.object.wrote(object);
    this.repeats = this.isRepeated(report) ? this.repeats + 1 : 0;
    this.#kept = { report, object };
  }

  /** Whether this very report was the last one that was written. */
  isRepeated(report: KubeObject | undefined): boolean {
    return report !== undefined && this.#kept?.report === report;
  }

  succeeded(): void {
    this.endPause();
    this.failures = 0;
    this.fault = undefined;
  }

  endPause(): void {
    this.pause?.cancel();
    this.pause = undefined;
  }

  /** False once it was dropped: what is still under way for it is of no interest. */
  isCurrent(): boolean {
    return this.kind.entries.get(this.name) === this;
  }

  drop(): void {
    if (this.isCurrent()) this.kind.entries.delete(this.name);
    this.endPause();
    this.cancelAwait();
    this.settle();
  }

  untilSettled(): Promise<void> {
    if (!this.busy) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  settle(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #report({ set, content }: Wish, objectOf: ObjectOf): KubeObject | undefined {
    const owner = objectOf(set);
    if (owner === undefined) return undefined;
    const { uid } = owner.metadata;
    if (this.#made?.content !== content || this.#made.uid !== uid) {
      this.#made = { content, uid, report: policyReport(this.kind.resource, set, owner, content) };
    }
    return this.#made.report;
  }

  /** Whether an object is what becomes of a report when it is written. */
  #isShown(object: KubeObject, report: KubeObject): boolean {
    if (this.#matched?.object === object && this.#matched.report === report) return true;
    const isSame =
      showsReport(object, report) ||
      (this.#kept?.report === report && showsReport(object, this.#kept.object));
    if (isSame) this.#matched = { object, report };
    return isSame;
  }
}
