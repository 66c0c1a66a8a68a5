import type { MirrorSetKind } from '../mirrors/mirror-set.js';
import type { Judgement } from '../policy/evaluate.js';
import type { Finding } from '../policy/finding.js';
import type { Operation } from '../policy/rule.js';
import type { RefusalCode } from './refusal.js';

/** One review that was answered with an AdmissionReview. */
export interface ReviewedEvent {
  readonly uid: string;
  readonly kind: MirrorSetKind;
  readonly name: string;
  readonly operation: Operation;
  readonly outcome: 'allowed' | 'denied';
  readonly findings: readonly Finding[];
  readonly exempted: Judgement['exempted'];
  readonly dryRun: boolean;
  /** From the first byte of the request's body to the answer, in ms. */
  readonly durationMs: number;
}

/** What happens at the gate, for logs and metrics. Called after the answer; what it throws changes no answer. */
export interface AdmissionObserver {
  onReviewed(event: ReviewedEvent): void;
  /** A request that was not understood, or came too late. The message tells a person why. */
  onRefused(code: RefusalCode, message?: string): void;
  /** A fault of mirrorgate itself: the request was answered with HTTP 500. */
  onInternalFault(error: unknown): void;
}

/** An observer whose own faults are reported as internal faults, and go no further. */
export function guardObserver(observer: AdmissionObserver): AdmissionObserver {
  const report = (error: unknown) => {
    try {
      observer.onInternalFault(error);
    } catch {
      // Nobody is left to tell.
    }
  };
  const guard = (notify: () => void) => {
    try {
      notify();
    } catch (error) {
      report(error);
    }
  };
  return {
    onReviewed: (event) => {
      guard(() => {
        observer.onReviewed(event);
      });
    },
    onRefused: (code, message) => {
      guard(() => {
        observer.onRefused(code, message);
      });
    },
    onInternalFault: report,
  };
}
