import type { InjectedBundles } from './bundle-target.js';
import { certDataOf } from './cert-data.js';
import { planRenewal, type RenewalRules, type RenewalStep, type TrustedSince } from './cert-renewal.js';
import { bundleOf, lifeOf, type CertState } from './cert-state.js';
import { readBundle } from './pem-bundle.js';

/** What is known of the store. */
export type StoredState =
  | { readonly kind: 'unknown' }
  /** Nothing is there, or something that waits to be filled. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'unusable'; readonly reason: string; readonly authorities: readonly string[] }
  | { readonly kind: 'sound'; readonly state: CertState };

/** What goes on around a replica. */
export interface Circumstances {
  readonly isLeader: boolean;
  readonly injected: InjectedBundles | undefined;
  readonly trustedSince: TrustedSince;
  /** In ms since the epoch. */
  readonly now: number;
  readonly rules: RenewalRules;
}

/** All that a replica knows. */
export interface Situation extends Circumstances {
  /** The state that this replica holds; `undefined` before its first one. */
  readonly held: CertState | undefined;
  readonly stored: StoredState;
}

export type CertMove =
  | { readonly kind: 'wait'; /** At the latest, in ms since the epoch. */ readonly until: number }
  /** Hold what the store holds. */
  | { readonly kind: 'follow'; readonly state: CertState }
  /** Make a first state; replicas may still serve certificates of the known authorities. */
  | { readonly kind: 'create'; readonly known: readonly string[]; readonly reason: string | undefined }
  /** Save this over what the store holds. */
  | { readonly kind: 'restore'; readonly state: CertState; readonly reason: string }
  | {
      readonly kind: 'renew';
      readonly state: CertState;
      readonly step: Exclude<RenewalStep, { readonly kind: 'nothing' }>;
    };

/**
 * What a replica does about the state of the certificates. The leader alone renews, and puts back what was removed or
 * spoilt; only the very first state may come from any replica, since nobody trusts or serves anything before it.
 */
export function nextMove(situation: Situation): CertMove {
  const { held, stored, isLeader } = situation;
  switch (stored.kind) {
    case 'unknown':
      return wait;
    case 'empty':
      if (held !== undefined) return isLeader ? restore(held, 'it was removed') : wait;
      return isLeader || isFirstStart(situation) ? create(situation, undefined) : wait;
    case 'unusable':
      if (!isLeader) return wait;
      return held === undefined ? create(situation, stored.reason) : restore(held, stored.reason);
    case 'sound':
      if (held === undefined || !isSame(held, stored.state))
        return held === undefined || isSuccessor(held, stored.state, situation)
          ? { kind: 'follow', state: stored.state }
          : ousted(held, stored.state, situation);
      return isLeader ? renew(held, situation) : wait;
  }
}

const wait: CertMove = { kind: 'wait', until: Infinity };

function renew(held: CertState, { now, rules, trustedSince }: Situation): CertMove {
  const step = planRenewal(held, now, rules, trustedSince);
  return step.kind === 'nothing' ? { kind: 'wait', until: step.until } : { kind: 'renew', state: held, step };
}

/** As long as clients trust something, a replica that serves it may be about to put it back. */
function isFirstStart({ injected }: Situation): boolean {
  if (injected?.kind !== 'present') return injected !== undefined;
  return injected.bundles.every((bundle) => readBundle(bundle).certs.length === 0);
}

function create({ stored, injected }: Situation, reason: string | undefined): CertMove {
  const authorities = stored.kind === 'unusable' ? stored.authorities : [];
  const bundles = injected?.kind === 'present' ? injected.bundles : [];
  const trusted = bundles.flatMap((bundle) => readBundle(bundle).certs);
  return { kind: 'create', known: [...new Set([...authorities, ...trusted])], reason };
}

function restore(state: CertState, reason: string): CertMove {
  return { kind: 'restore', state, reason };
}

/**
 * Whoever trusts the bundle of a successor accepts what this replica serves. Without that a state is still taken over
 * when what this replica serves is of no use any more.
 */
function isSuccessor(held: CertState, state: CertState, { injected, trustedSince, now }: Situation): boolean {
  if (readBundle(bundleOf(state)).certs.includes(held.ca.cert)) return true;
  if (now >= lifeOf(held.leaf.cert).spent) return true;
  return (
    injected?.kind === 'present' &&
    trustedSince(held.ca.cert) === undefined &&
    trustedSince(state.ca.cert) !== undefined
  );
}

/**
 * Somebody has replaced everything, by an older state or by certificates of their own. A new authority of theirs becomes
 * the next one, so that clients learn of it before anything is signed by it.
 */
function ousted(held: CertState, { ca }: CertState, { isLeader, now }: Situation): CertMove {
  if (!isLeader) return { kind: 'wait', until: lifeOf(held.leaf.cert).spent };
  if (held.retired.some(({ cert }) => cert === ca.cert))
    return restore(held, 'it was replaced by an older one');
  if (now >= lifeOf(ca.cert).due)
    return restore(held, 'it was replaced by one whose authority is at its end');
  return restore(
    { ...held, next: ca },
    'it was replaced; the new authority comes next, once clients trust it',
  );
}

function isSame(a: CertState, b: CertState): boolean {
  return JSON.stringify(certDataOf(a)) === JSON.stringify(certDataOf(b));
}

/** What a replica serves. */
export interface ServedLeaf {
  readonly cert: string;
  /** The authority that signed it. */
  readonly ca: string;
}

/**
 * When the leaf of a state may be served in place of what is served: once clients have had time to learn of its
 * authority, or nothing better is left. The leader sees to that already; this holds for each replica whatever happens to
 * the store.
 *
 * @returns in ms since the epoch
 */
export function servableAt(
  state: CertState,
  served: ServedLeaf | undefined,
  { injected, trustedSince, now, rules }: Circumstances,
): number {
  if (served === undefined) return now;
  const servedSpent = lifeOf(served.cert).spent;
  // An older state was put back: the leader renews it.
  if (now >= lifeOf(state.leaf.cert).spent) return servedSpent;
  if (served.ca === state.ca.cert) return now;
  const trusted = trustedSince(state.ca.cert);
  if (trusted !== undefined && injected?.kind === 'present' && trustedSince(served.ca) === undefined)
    return now;
  return Math.min((trusted ?? Infinity) + rules.propagationMs, servedSpent);
}
