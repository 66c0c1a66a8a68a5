import { X509Certificate } from 'node:crypto';
import { lifeOf, type CertLives, type CertState, type RetiredCa } from './cert-state.js';
import { coversHost, type KeyPair } from './key-pair.js';
import { canonicalCert } from './pem-bundle.js';
import { createCa, issueLeaf } from './self-signed.js';

export interface RenewalRules {
  /** What the served certificate is for: DNS names and IP addresses. */
  readonly hosts: readonly string[];
  readonly lives: CertLives;
  /** How long clients may take to learn of a new bundle, in ms. */
  readonly propagationMs: number;
}

/** Since when clients are told to trust an authority, in ms since the epoch; `undefined` when they are not. */
export type TrustedSince = (caCert: string) => number | undefined;

export type RenewalStep =
  | { readonly kind: 'nothing'; /** When to ask again, in ms since the epoch. */ readonly until: number }
  /** A new authority goes into the bundle and waits there. */
  | { readonly kind: 'prepare-ca' }
  /** The authority that waits takes over: the leaf is signed by it. */
  | { readonly kind: 'promote-ca' }
  /** The authority is at its end and none is waiting: a new authority and leaf at once. */
  | { readonly kind: 'replace-ca' }
  | { readonly kind: 'renew-leaf' }
  | { readonly kind: 'drop-retired' };

/**
 * The next step towards certificates that are never older than two thirds of their life. An authority signs only once
 * every client has been told of it for `propagationMs`, unless the one before it is at its end: then there is nothing
 * left to lose.
 */
export function planRenewal(
  state: CertState,
  now: number,
  rules: RenewalRules,
  trustedSince: TrustedSince,
): RenewalStep {
  const { ca, next, leaf, retired } = state;
  const caLife = lifeOf(ca.cert);
  if (now >= caLife.spent) {
    const canTakeOver = next !== undefined && now < lifeOf(next.cert).spent;
    return { kind: canTakeOver ? 'promote-ca' : 'replace-ca' };
  }
  const promoteAt =
    next === undefined ? Infinity : (trustedSince(next.cert) ?? Infinity) + rules.propagationMs;
  if (now >= promoteAt) return { kind: 'promote-ca' };

  const leafDue = leafDueAt(leaf.cert, caLife.end);
  if (now >= leafDue || !coversAll(leaf.cert, rules.hosts)) return { kind: 'renew-leaf' };
  if (next === undefined && now >= caLife.due) return { kind: 'prepare-ca' };
  if (retired.some(({ until }) => now >= until)) return { kind: 'drop-retired' };

  const moments = [caLife.spent, promoteAt, leafDue, ...retired.map(({ until }) => until)];
  if (next === undefined) moments.push(caLife.due);
  return { kind: 'nothing', until: Math.min(...moments) };
}

/** The state after a step. Makes keys, and touches nothing else. */
export async function carryOut(
  step: Exclude<RenewalStep, { readonly kind: 'nothing' }>,
  state: CertState,
  now: number,
  rules: RenewalRules,
): Promise<CertState> {
  switch (step.kind) {
    case 'prepare-ca':
      return { ...state, next: await newCa(now, rules) };
    case 'promote-ca':
    case 'replace-ca': {
      const { next } = state;
      const ca = step.kind === 'promote-ca' && next !== undefined ? next : await newCa(now, rules);
      return {
        ca,
        next: undefined,
        leaf: await newLeaf(now, rules, ca),
        retired: inForce([retire(state, now, rules), ...state.retired], now),
      };
    }
    case 'renew-leaf':
      return { ...state, leaf: await newLeaf(now, rules, state.ca) };
    case 'drop-retired':
      return { ...state, retired: inForce(state.retired, now) };
  }
}

/**
 * A new authority and a leaf of it, where there was no usable state.
 *
 * @param known authorities of which replicas may still serve a leaf
 */
export async function firstState(
  now: number,
  rules: RenewalRules,
  known: readonly string[] = [],
): Promise<CertState> {
  const ca = await newCa(now, rules);
  const retired = known
    .filter((cert) => new X509Certificate(cert).ca)
    .map((cert) => ({ cert, until: Math.min(lifeOf(cert).end, now + rules.lives.leaf) }));
  return { ca, next: undefined, leaf: await newLeaf(now, rules, ca), retired: inForce(retired, now) };
}

/** The signing authority, kept until the last leaf of it has expired, whichever of its leaves a replica holds. */
function retire({ ca, leaf }: CertState, now: number, { lives }: RenewalRules): RetiredCa {
  const leavesEnd = Math.max(lifeOf(leaf.cert).end, now + lives.leaf);
  return { cert: ca.cert, until: Math.min(lifeOf(ca.cert).end, leavesEnd) };
}

/** Says what is wrong with lives that would leave no time to turn over; `undefined` when nothing is. */
export function livesFault({ lives, propagationMs }: Omit<RenewalRules, 'hosts'>): string | undefined {
  if (lives.leaf > lives.ca) return 'a certificate cannot live longer than its authority';
  if (propagationMs * 6 > lives.ca)
    return 'an authority has to live at least six times as long as clients may take to learn of the next';
  return undefined;
}

function inForce(retired: readonly RetiredCa[], now: number): RetiredCa[] {
  return retired.filter(({ until }) => now < until);
}

/** A leaf that ends with its authority cannot be bettered by the same authority. */
function leafDueAt(leaf: string, caEnd: number): number {
  const { due, end } = lifeOf(leaf);
  return end < caEnd ? due : Infinity;
}

function coversAll(cert: string, hosts: readonly string[]): boolean {
  const certificate = new X509Certificate(cert);
  return hosts.every((host) => coversHost(certificate, host));
}

async function newCa(now: number, { lives }: RenewalRules): Promise<KeyPair> {
  const { cert, key } = await createCa({ now: new Date(now), lifeMs: lives.ca, name: 'mirrorgate CA' });
  return { cert: canonicalCert(cert), key };
}

async function newLeaf(now: number, { hosts, lives }: RenewalRules, ca: KeyPair): Promise<KeyPair> {
  const { cert, key } = await issueLeaf({ now: new Date(now), hosts, ca, lifeMs: lives.leaf });
  return { cert: canonicalCert(cert), key };
}
