import { isDeepStrictEqual } from 'node:util';
import PQueue from 'p-queue';
import type { ExistingVerdict } from '../controller/judge-existing.js';
import { backoffDelay, defaultBackoff, type BackoffOptions } from '../distribution/backoff.js';
import type { Clock } from '../distribution/clock.js';
import type { MirrorPolicy } from '../policy/policy.js';
import { ApiError, errorOfFailure, isApiError, type ApiErrorCode } from './api-error.js';
import { FaultNews } from './fault-news.js';
import type { KubeClient } from './kube-client.js';
import { resources } from './kube-object.js';
import { datedReport, isOwnReport, reportLabel, reportName, type ReportResource } from './policy-report.js';
import { reportContent } from './report-content.js';
import {
  ReportEntry,
  type ObjectOf,
  type Pause,
  type ReportKind,
  type ReportSource,
  type Step,
  type Wish,
} from './report-entry.js';

export interface ReportWriterOptions {
  readonly client: Pick<KubeClient, 'create' | 'replace' | 'remove'>;
  /** The kind that is written where it is installed; `undefined` when it is not followed. */
  readonly openReports: ReportSource | undefined;
  /** The kind that is written otherwise. */
  readonly policyReports: ReportSource | undefined;
  readonly objectOf: ObjectOf;
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
/** So often a report that somebody else has changed is put right at once, and then ever more slowly. */
const patience = 2;
/** Failures that come of a source that is a little behind: so many in a row are no fault. */
const tolerated: Partial<Record<ApiErrorCode, number>> = { conflict: 2, 'already-exists': 2 };

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
  readonly #kinds: readonly ReportKind[];
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
    await Promise.all(
      this.#kinds.flatMap(({ entries }) => [...entries.values()].map((entry) => entry.untilSettled())),
    );
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

  #reconcileKind(kind: ReportKind, wishes: ReadonlyMap<string, Wish>): void {
    const { source, entries } = kind;
    const shown = source.current();
    if (shown === undefined) return;
    if (!source.status().installed) {
      dropAll(kind);
      return;
    }
    for (const name of new Set([...wishes.keys(), ...shown.keys(), ...entries.keys()])) {
      const report = shown.get(name);
      const entry = entries.get(name) ?? new ReportEntry(kind, name);
      entry.wish = wishes.get(name);
      entry.object.show(report !== undefined && isOwnReport(report) ? report : undefined);
      if (entry.wish === undefined && entry.object.isUnknown() && !entry.busy) {
        entry.drop();
      } else {
        entries.set(name, entry);
        this.#schedule(entry);
      }
    }
  }

  #schedule(entry: ReportEntry, { afterPause = false } = {}): void {
    if (entry.busy) return;
    const step = entry.step(this.#options.objectOf);
    if (step === undefined) {
      entry.succeeded();
      entry.settle();
      return;
    }
    if (
      !afterPause &&
      entry.pause === undefined &&
      entry.isRepeated(step.report) &&
      entry.repeats >= patience
    ) {
      const wait = backoffDelay(1 + entry.repeats - patience, this.#random(), this.#backoff);
      this.#pause(entry, wait, ({ report }) => report === step.report);
    }
    if (entry.pause?.holds(step) === true) {
      entry.settle();
      return;
    }
    entry.endPause();
    entry.busy = true;
    void this.#queue.add(() => this.#write(entry));
  }

  #pause(entry: ReportEntry, wait: number, holds: Pause['holds']): void {
    const cancel = this.#options.clock.after(wait, () => {
      entry.pause = undefined;
      this.#schedule(entry, { afterPause: true });
    });
    entry.pause = { holds, cancel };
  }

  async #write(entry: ReportEntry): Promise<void> {
    const step = entry.isCurrent() ? entry.step(this.#options.objectOf) : undefined;
    if (step !== undefined) {
      try {
        await this.#take(step, entry);
        entry.succeeded();
      } catch (error) {
        this.#failed(entry, step, error);
      }
    }
    entry.busy = false;
    if (entry.isCurrent() && !this.#stopped) {
      // Something newer may be wanted by now, or be there.
      this.#schedule(entry);
      this.#tellFault();
    } else entry.settle();
  }

  async #take(step: Step, entry: ReportEntry): Promise<void> {
    const { client, now } = this.#options;
    const { kind, name, object } = entry;
    if (step.verb === 'remove') {
      await client.remove(kind.resource, { name });
      object.removed(step.object);
      return;
    }
    const dated = datedReport(step.report, step.object, now());
    const written =
      step.verb === 'create'
        ? await client.create(kind.resource, dated)
        : await client.replace(kind.resource, dated);
    entry.wrote(step.report, written);
    this.#await(entry);
  }

  /** A report that the source does not show in time may have been removed before it could. */
  #await(entry: ReportEntry): void {
    entry.cancelAwait();
    if (!entry.object.isAwaited() || !entry.isCurrent()) return;
    entry.cancelAwait = this.#options.clock.after(awaitedLimit, () => {
      if (!entry.object.isAwaited()) return;
      entry.object.forgetWritten();
      this.#schedule(entry);
    });
  }

  #failed(entry: ReportEntry, step: Step, error: unknown): void {
    const { kind, name } = entry;
    if (step.verb === 'replace' && isApiError(error, 'not-found')) {
      entry.object.removed(step.object);
      return;
    }
    const fault = errorOfFailure(`${step.verb} ${kind.resource.kind} ${name}`, error);
    entry.failures += 1;
    if (entry.failures > (tolerated[fault.code] ?? 0)) entry.fault = explained(fault, kind.resource, name);
    if (!entry.isCurrent()) return;
    const backoff = fault.code === 'forbidden' ? forbiddenBackoff : this.#backoff;
    const wait = Math.max(
      backoffDelay(entry.failures, this.#random(), backoff),
      Math.min(fault.retryAfterMs ?? 0, longestRetryAfter),
    );
    const isMendable = mendable.includes(fault.code);
    this.#pause(
      entry,
      wait,
      ({ object, report }) => !isMendable || (object === step.object && report === step.report),
    );
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
}

function kindOf(resource: ReportResource, source: ReportSource | undefined): ReportKind[] {
  return source === undefined ? [] : [{ resource, source, entries: new Map() }];
}

function dropAll({ entries }: ReportKind): void {
  for (const entry of [...entries.values()]) entry.drop();
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
