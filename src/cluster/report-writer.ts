import { isDeepStrictEqual } from 'node:util';
import PQueue from 'p-queue';
import type { ExistingVerdict } from '../controller/judge-existing.js';
import { backoffDelay, defaultBackoff, type BackoffOptions } from '../distribution/backoff.js';
import type { Clock } from '../distribution/clock.js';
import type { MirrorSet } from '../mirrors/mirror-set.js';
import type { MirrorPolicy } from '../policy/policy.js';
import { ApiError, errorOfFailure, isApiError, type ApiErrorCode } from './api-error.js';
import { FaultNews } from './fault-news.js';
import type { KubeClient } from './kube-client.js';
import { resources, type KubeObject } from './kube-object.js';
import { NewestObject } from './newest-object.js';
import type { ObjectSource } from './object-source.js';
import {
  datedReport,
  isOwnReport,
  policyReport,
  reportContent,
  reportLabel,
  reportName,
  showsReport,
  type ReportContent,
  type ReportResource,
} from './policy-report.js';

/** mirrorgate's own reports of one kind: unknown until they were listed, none where the kind is not installed. */
export interface ReportSource extends ObjectSource {
  status(): { readonly installed: boolean };
}

export interface ReportWriterOptions {
  readonly client: Pick<KubeClient, 'create' | 'replace' | 'remove'>;
  /** The kind that is written where it is installed; `undefined` when it is not followed. */
  readonly openReports: ReportSource | undefined;
  /** The kind that is written otherwise. */
  readonly policyReports: ReportSource | undefined;
  /** The object of a set; `undefined` when it is gone meanwhile. */
  readonly objectOf: (set: MirrorSet) => KubeObject | undefined;
  readonly now: () => Date;
  readonly clock: Pick<Clock, 'after'>;
  readonly random?: (() => number) | undefined;
  /** Writes at the same time. Default 10. */
  readonly concurrency?: number | undefined;
  readonly backoff?: BackoffOptions | undefined;
  /** Told when a report cannot be written (once per fault, not at every retry), and `undefined` when all can again. */
  readonly onFault?: ((fault: ApiError | undefined) => void) | undefined;
}

/** How long a stop waits for what is still to be written, in ms. */
const stopLimit = 3_000;
/** The server is asked again after this time, in ms, even when it asks for a longer one. */
const longestRetryAfter = 120_000;
/** So long, in ms, a report that was made may take to be shown by the source. */
const awaitedLimit = 60_000;
/** A Role does not mend itself: somebody has to see the fault first. */
const forbiddenBackoff: BackoffOptions = { shortest: 60_000, longest: 600_000 };
/** Failures that more than time may mend: what the source shows next, or another wish. */
const mendable: readonly ApiErrorCode[] = ['conflict', 'already-exists', 'invalid'];
/** Failures that come of a source that is a little behind: so many in a row are no fault. */
const tolerated: Partial<Record<ApiErrorCode, number>> = { conflict: 2, 'already-exists': 2 };

/** What is to be said about a set. */
interface Wish {
  readonly set: MirrorSet;
  readonly content: ReportContent;
}

/** One report, there or not. */
interface Entry {
  readonly kind: Kind;
  readonly name: string;
  readonly object: NewestObject;
  /** `undefined`: there should be none. */
  wish: Wish | undefined;
  /** Made from the wish, for as long as the set's object is the same one. */
  made:
    | { readonly content: ReportContent; readonly uid: string | undefined; readonly report: KubeObject }
    | undefined;
  /** How the server keeps a report that was written: its schema may not know every field. */
  kept: { readonly report: KubeObject; readonly object: KubeObject } | undefined;
  /** An object that was found to show a report: not compared again. */
  matched: { readonly report: KubeObject; readonly object: KubeObject } | undefined;
  /** Queued, or being written. */
  busy: boolean;
  failures: number;
  /** What is to be told about the last failure. */
  fault: ApiError | undefined;
  retry: Retry | undefined;
  cancelAwait: () => void;
  readonly waiting: (() => void)[];
}

/** A write that failed, and waits. */
interface Retry {
  readonly code: ApiErrorCode;
  readonly object: KubeObject | undefined;
  readonly report: KubeObject | undefined;
  readonly cancel: () => void;
}

interface Kind {
  readonly resource: ReportResource;
  readonly source: ReportSource;
  readonly entries: Map<string, Entry>;
}

/** What is to be done about one report. */
type Step =
  | { readonly verb: 'create'; readonly report: KubeObject }
  | { readonly verb: 'replace'; readonly report: KubeObject; readonly object: KubeObject }
  | { readonly verb: 'remove'; readonly object: KubeObject };

/**
 * Keeps one report for each mirror set of the cluster, of the first of two kinds that is installed, and takes away its
 * own reports that are of no use any more. For each report one write at a time, and the newest wish last; nothing where
 * it is there already; again when somebody else has changed it. Reports without mirrorgate's label are left alone.
 */
export class ReportWriter {
  readonly #options: ReportWriterOptions;
  readonly #queue: PQueue;
  readonly #backoff: BackoffOptions;
  readonly #random: () => number;
  readonly #fault: FaultNews;
  /** The preferred one first. */
  readonly #kinds: readonly Kind[];
  readonly #unsubscribe: readonly (() => void)[];
  /** By the names of reports; `undefined` when it is for somebody else to write. */
  #wishes: ReadonlyMap<string, Wish> | undefined;
  #stopped = false;

  constructor(options: ReportWriterOptions) {
    this.#options = options;
    this.#queue = new PQueue({ concurrency: options.concurrency ?? 10 });
    this.#backoff = options.backoff ?? { ...defaultBackoff, shortest: 500, longest: 60_000 };
    this.#random = options.random ?? Math.random;
    this.#fault = new FaultNews(options.onFault);
    this.#kinds = [
      ...kindOf(resources.openReports, options.openReports),
      ...kindOf(resources.policyReports, options.policyReports),
    ];
    this.#unsubscribe = this.#kinds.map(({ source }) =>
      source.onChange(() => {
        this.#reconcile();
      }),
    );
  }

  /** Says how all sets of the cluster stand: from now on there are reports on these, and on no others. */
  set(verdicts: readonly ExistingVerdict[], policy: MirrorPolicy): void {
    if (this.#stopped) return;
    const before = this.#wishes;
    this.#wishes = new Map(
      verdicts.map((verdict) => {
        const { set } = verdict;
        const name = reportName(set);
        const content = reportContent(verdict, policy);
        const known = before?.get(name)?.content;
        // The same content is the same object, so that it need not be compared with what is there again.
        return [name, { set, content: isDeepStrictEqual(content, known) ? (known ?? content) : content }];
      }),
    );
    this.#reconcile();
  }

  /** Writes nothing more until `set` is called again: another replica does. */
  clear(): void {
    this.#wishes = undefined;
    for (const kind of this.#kinds) dropAll(kind);
  }

  /** Resolves when every report is as it should be, or waits for its next try. */
  async settled(): Promise<void> {
    await Promise.all(this.#kinds.flatMap(({ entries }) => [...entries.values()].map(untilSettled)));
  }

  /** Writes what is still to be written, within 3 s, and then nothing more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const end of this.#unsubscribe) end();
    let cancel: () => void = () => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(stopLimit, resolve);
    });
    await Promise.race([this.settled(), late]);
    cancel();
    this.clear();
    this.#queue.clear();
  }

  /** Compares what is wanted with what is there, for all reports of both kinds. */
  #reconcile(): void {
    const wishes = this.#wishes;
    if (wishes === undefined || this.#stopped) return;
    // While it is not known whether there is a better kind, none is the right one.
    const written = this.#kinds.find(
      ({ source }) => source.current() === undefined || source.status().installed,
    );
    if (written !== undefined && written.source.current() === undefined) return;
    for (const kind of this.#kinds) this.#reconcileKind(kind, kind === written ? wishes : new Map());
    this.#tellFault();
  }

  #reconcileKind(kind: Kind, wishes: ReadonlyMap<string, Wish>): void {
    const { source, entries } = kind;
    const shown = source.current();
    if (shown === undefined) return;
    if (!source.status().installed) {
      dropAll(kind);
      return;
    }
    for (const name of new Set([...wishes.keys(), ...shown.keys(), ...entries.keys()])) {
      const report = shown.get(name);
      const entry = entries.get(name) ?? newEntry(kind, name);
      entry.wish = wishes.get(name);
      entry.object.show(report !== undefined && isOwnReport(report) ? report : undefined);
      if (entry.wish === undefined && entry.object.isUnknown() && !entry.busy) {
        drop(entry);
      } else {
        entries.set(name, entry);
        this.#schedule(entry);
      }
    }
  }

  #schedule(entry: Entry): void {
    if (entry.busy) return;
    const step = this.#stepFor(entry);
    if (step === undefined || (entry.retry !== undefined && !isMended(entry.retry, step))) {
      if (step === undefined) this.#succeeded(entry);
      settle(entry);
      return;
    }
    entry.retry?.cancel();
    entry.busy = true;
    void this.#queue.add(() => this.#write(entry));
  }

  #stepFor(entry: Entry): Step | undefined {
    const object = entry.object.current();
    // Held by somebody's finalizer: it is gone soon, and made anew then.
    if (object?.metadata.deletionTimestamp !== undefined) return undefined;
    if (entry.wish === undefined) return object && { verb: 'remove', object };
    const report = this.#reportFor(entry, entry.wish);
    // The set is gone, which the next verdicts will say.
    if (report === undefined) return undefined;
    if (object === undefined) return { verb: 'create', report };
    return isShown(entry, object, report) ? undefined : { verb: 'replace', report, object };
  }

  #reportFor(entry: Entry, { set, content }: Wish): KubeObject | undefined {
    const owner = this.#options.objectOf(set);
    if (owner === undefined) return undefined;
    const { uid } = owner.metadata;
    if (entry.made?.content !== content || entry.made.uid !== uid) {
      entry.made = { content, uid, report: policyReport(entry.kind.resource, set, owner, content) };
    }
    return entry.made.report;
  }

  async #write(entry: Entry): Promise<void> {
    const step = this.#isCurrent(entry) ? this.#stepFor(entry) : undefined;
    if (step !== undefined) {
      try {
        await this.#take(step, entry);
        this.#succeeded(entry);
      } catch (error) {
        this.#failed(entry, step, error);
      }
    }
    entry.busy = false;
    if (this.#isCurrent(entry) && !this.#stopped) {
      // Something newer may be wanted by now, or be there.
      this.#schedule(entry);
      this.#tellFault();
    } else settle(entry);
  }

  async #take(step: Step, entry: Entry): Promise<void> {
    const { client, now } = this.#options;
    const { kind, name, object } = entry;
    if (step.verb === 'remove') {
      await client.remove(kind.resource, { name });
      object.removed();
      return;
    }
    const { report } = step;
    const written =
      step.verb === 'create'
        ? await client.create(kind.resource, datedReport(report, undefined, now()))
        : await client.replace(kind.resource, datedReport(report, step.object, now()));
    object.wrote(written);
    entry.kept = { report, object: written };
    this.#await(entry);
  }

  /** A report that the source does not show in time may have been removed before it could. */
  #await(entry: Entry): void {
    entry.cancelAwait();
    if (!entry.object.isAwaited() || !this.#isCurrent(entry)) return;
    entry.cancelAwait = this.#options.clock.after(awaitedLimit, () => {
      if (!entry.object.isAwaited()) return;
      entry.object.forgetWritten();
      this.#schedule(entry);
    });
  }

  #succeeded(entry: Entry): void {
    entry.retry?.cancel();
    entry.retry = undefined;
    entry.failures = 0;
    entry.fault = undefined;
  }

  #failed(entry: Entry, step: Step, error: unknown): void {
    const { kind, name, object } = entry;
    if (step.verb === 'replace' && isApiError(error, 'not-found')) {
      object.removed();
      return;
    }
    const fault = errorOfFailure(`${step.verb} ${kind.resource.kind} ${name}`, error);
    entry.failures += 1;
    if (entry.failures > (tolerated[fault.code] ?? 0)) entry.fault = explained(fault, kind.resource, name);
    if (this.#stopped || !this.#isCurrent(entry)) return;
    const backoff = fault.code === 'forbidden' ? forbiddenBackoff : this.#backoff;
    const wait = Math.max(
      backoffDelay(entry.failures, this.#random(), backoff),
      Math.min(fault.retryAfterMs ?? 0, longestRetryAfter),
    );
    entry.retry = {
      code: fault.code,
      object: 'object' in step ? step.object : undefined,
      report: 'report' in step ? step.report : undefined,
      cancel: this.#options.clock.after(wait, () => {
        entry.retry = undefined;
        this.#schedule(entry);
      }),
    };
  }

  #tellFault(): void {
    for (const { entries } of this.#kinds) {
      for (const { fault } of entries.values()) {
        if (fault === undefined) continue;
        this.#fault.set(fault);
        return;
      }
    }
    this.#fault.set(undefined);
  }

  /** False once it was dropped: what is still under way for it is of no interest. */
  #isCurrent(entry: Entry): boolean {
    return entry.kind.entries.get(entry.name) === entry;
  }
}

function kindOf(resource: ReportResource, source: ReportSource | undefined): Kind[] {
  return source === undefined ? [] : [{ resource, source, entries: new Map() }];
}

function newEntry(kind: Kind, name: string): Entry {
  return {
    kind,
    name,
    object: new NewestObject(),
    wish: undefined,
    made: undefined,
    kept: undefined,
    matched: undefined,
    busy: false,
    failures: 0,
    fault: undefined,
    retry: undefined,
    cancelAwait: () => undefined,
    waiting: [],
  };
}

function drop(entry: Entry): void {
  entry.kind.entries.delete(entry.name);
  entry.retry?.cancel();
  entry.cancelAwait();
  settle(entry);
}

function dropAll({ entries }: Kind): void {
  for (const entry of [...entries.values()]) drop(entry);
}

/** Whether an object is what becomes of a report when it is written. */
function isShown(entry: Entry, object: KubeObject, report: KubeObject): boolean {
  const { kept, matched } = entry;
  if (matched?.object === object && matched.report === report) return true;
  const isSame = showsReport(object, report) || (kept?.report === report && showsReport(object, kept.object));
  if (isSame) entry.matched = { object, report };
  return isSame;
}

/** Whether a step that failed is another one now, so that it need not wait. */
function isMended({ code, object, report }: Retry, step: Step): boolean {
  if (!mendable.includes(code)) return false;
  return (
    ('object' in step ? step.object : undefined) !== object ||
    ('report' in step ? step.report : undefined) !== report
  );
}

/** A report that is there and that the source of own ones does not show is somebody else's. */
function explained(fault: ApiError, { kind }: ReportResource, name: string): ApiError {
  if (fault.code !== 'already-exists') return fault;
  return new ApiError(
    'already-exists',
    `create ${kind} ${name}: there is one without the label ${reportLabel.join('=')}, which is left as it is`,
    { cause: fault },
  );
}

function untilSettled(entry: Entry): Promise<void> {
  if (!entry.busy) return Promise.resolve();
  return new Promise((resolve) => entry.waiting.push(resolve));
}

function settle(entry: Entry): void {
  for (const resolve of entry.waiting.splice(0)) resolve();
}
