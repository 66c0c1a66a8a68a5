/** The one place where mirror sets are judged: webhook, check service, command line and controller all come here. */
import { isDeepStrictEqual } from 'node:util';
import type { InsecureRegistries } from '../mirrors/insecure-registries.js';
import { emptyIndex, replaceInIndex, type MirrorSetIndex } from '../mirrors/mirror-set-index.js';
import { isLinuxOnly, osLabel, validEntries, type MirrorSet } from '../mirrors/mirror-set.js';
import { catalogue } from './catalogue.js';
import { exemptionMatches, type Exemption, type Requester } from './exemption.js';
import { compareActions, comparePaths, type Action, type Finding } from './finding.js';
import { actionOf, type MirrorPolicy } from './policy.js';
import type { Operation, Rule, RuleSettings, Subject, Violation } from './rule.js';

/** What is to be judged. */
export interface Review {
  readonly operation: Operation;
  /** The object as it would be; for DELETE, the object that would go. */
  readonly set: MirrorSet;
  /** The object as it is, for UPDATE. */
  readonly old?: MirrorSet | undefined;
  readonly requester?: Requester | undefined;
  /** Only the rules about this are asked; absent: all. */
  readonly about?: Rule['about'] | undefined;
}

/** What it is judged against. */
export interface EvaluationContext {
  readonly policy: MirrorPolicy;
  /** Every mirror set there is, the one under review included or not; `undefined` as long as they are not known. */
  readonly index: MirrorSetIndex | undefined;
  /**
   * What was there before, where more changes at once than the set under review: none of several sets that break
   * something together may then blame it on the others. Absent: all others are as they were.
   */
  readonly before?: MirrorSetIndex | undefined;
  readonly insecure: InsecureRegistries;
  readonly now: Date;
}

export interface Judgement {
  /** False when some finding denies. */
  readonly allowed: boolean;
  /** In the order of their fields in the object. */
  readonly findings: readonly Finding[];
  /** Findings that an exemption took out of `findings`, each with the exemption. */
  readonly exempted: readonly { readonly finding: Finding; readonly exemption: Exemption }[];
  /** What else whoever asks should know: an exemption that ends soon or has ended, rules that could not run. */
  readonly notices: readonly string[];
}

/** An exemption in use warns this long before it ends. */
const expiryWarning = 14 * 24 * 60 * 60 * 1000;

/** Judges one mirror set. Pure: the same review and context give the same judgement. */
export function evaluate(review: Review, context: EvaluationContext): Judgement {
  const found = findViolations(review, context, review.about);
  const ratcheted = lowerWhatWasThere(found, review, context);
  const { kept, exempted, notices } = applyExemptions(ratcheted, review, context);
  return {
    allowed: kept.every(({ action }) => action !== 'deny'),
    findings: kept,
    exempted,
    notices: [...notices, ...missingContext(context)],
  };
}

/** Findings with the identity that tells them again in another version of the object. */
interface Found {
  readonly finding: Finding;
  readonly identity: string;
}

function findViolations(review: Review, context: EvaluationContext, about?: Rule['about']): Found[] {
  const rules = catalogue.filter(
    (rule) =>
      rule.operations.includes(review.operation) &&
      (about === undefined || rule.about === about) &&
      (rule.objectOnly || context.index !== undefined) &&
      actionOf(context.policy, rule) !== 'off',
  );
  const subject = makeSubject(review, context);
  return rules
    .flatMap((rule) =>
      [...rule.find(narrow(subject, rule))].map((violation) => toFound(rule, violation, review, context)),
    )
    .sort((left, right) => comparePaths(left.finding.path, right.finding.path));
}

function makeSubject(
  { operation, set, old }: Review,
  { index = emptyIndex, before = index, policy, insecure }: EvaluationContext,
): Subject {
  const settings: RuleSettings = { view: policy.view, pauseImage: policy.pauseImage, insecure };
  return {
    operation,
    set,
    old,
    entries: validEntries(set),
    before: replaceInIndex(before, set, operation === 'DELETE' ? set : old),
    after: replaceInIndex(index, set, operation === 'DELETE' ? undefined : set),
    settings,
  };
}

/** A rule about Windows does not see entries for Linux nodes alone. */
function narrow(subject: Subject, rule: Rule): Subject {
  if (rule.scope === 'any') return subject;
  const { linuxOnlySources } = subject.settings.view;
  return {
    ...subject,
    entries: subject.entries.filter(({ set, source }) => !isLinuxOnly(set, source, linuxOnlySources)),
  };
}

function toFound(rule: Rule, violation: Violation, { set }: Review, { policy }: EvaluationContext): Found {
  const { path, message, fix, suggestion, key, atMost } = violation;
  const action = actionOf(policy, rule) as Action;
  return {
    finding: {
      rule: rule.id,
      action: atMost !== undefined && compareActions(action, atMost) < 0 ? atMost : action,
      kind: set.kind,
      name: set.name,
      path,
      message: oneLine(message),
      fix: oneLine(fix),
      ...(suggestion !== undefined && { suggestion }),
    },
    identity: `${rule.id} ${key}`,
  };
}

/** Names and values may hold anything; what is shown to a person stays on its line. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
}

/**
 * Nobody is held up by what was there before: on UPDATE, a denial that the old object would have got too becomes a
 * warning, and so does every denial when only metadata changes or the object waits to be deleted.
 */
function lowerWhatWasThere(found: readonly Found[], review: Review, context: EvaluationContext): Finding[] {
  const { operation, set, old } = review;
  if (operation !== 'UPDATE' || old === undefined) return found.map(({ finding }) => finding);
  // The Linux label decides what reaches Windows: to take it off is to change what the set does, not to describe it.
  const sameEffect =
    isDeepStrictEqual(set.entries, old.entries) && set.labels[osLabel] === old.labels[osLabel];
  const lowerAll = set.deleting || sameEffect;
  const asItWas = { ...context, index: context.before ?? context.index };
  const known = new Set(
    lowerAll
      ? []
      : findViolations({ operation, set: old, old }, asItWas, 'state').map(({ identity }) => identity),
  );
  return found.map(({ finding, identity }) =>
    finding.action === 'deny' && (lowerAll || known.has(identity))
      ? { ...finding, action: 'warn' as const, lowered: true }
      : finding,
  );
}

function applyExemptions(
  findings: readonly Finding[],
  { set, requester }: Review,
  { policy, now }: EvaluationContext,
): { kept: Finding[]; exempted: Judgement['exempted']; notices: string[] } {
  const kept: Finding[] = [];
  const exempted: { finding: Finding; exemption: Exemption }[] = [];
  const notices = new Set<string>();

  for (const finding of findings) {
    const matching = policy.exemptions.filter((exemption) =>
      exemptionMatches(exemption, { kind: set.kind, name: set.name, rule: finding.rule, requester }),
    );
    const valid = matching.find(({ expires }) => now < expires);
    if (valid === undefined) {
      kept.push(finding);
      const [expired] = matching;
      if (expired !== undefined)
        notices.add(`an exemption ended on ${day(expired)} (${expired.reason}): ${finding.rule} holds again`);
    } else {
      exempted.push({ finding, exemption: valid });
      if (valid.expires.getTime() - now.getTime() <= expiryWarning) {
        notices.add(
          `an exemption ends on ${day(valid)} (${valid.reason}): from then on ${finding.rule} holds`,
        );
      }
    }
  }
  return { kept, exempted, notices: [...notices] };
}

function missingContext({ index }: EvaluationContext): string[] {
  if (index !== undefined) return [];
  return ['cluster-wide checks were skipped: the other mirror sets are not known yet'];
}

/** The last day on which an exemption holds. */
function day({ expires }: Exemption): string {
  return new Date(expires.getTime() - 1).toISOString().slice(0, 'yyyy-mm-dd'.length);
}
