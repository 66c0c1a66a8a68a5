import { resources, type KubeObject } from './kube-object.js';

/** What a Lease (coordination.k8s.io/v1) says about who holds it. */
export interface LeaseRecord {
  /** `undefined` when nobody does. */
  readonly holder: string | undefined;
  /** How long it stays held after it was last renewed, in ms; `undefined` when it does not say. */
  readonly durationMs: number | undefined;
  readonly transitions: number;
  readonly acquireTime: string | undefined;
}

/** Who takes or renews a Lease, and when. */
export interface LeaseClaim {
  readonly identity: string;
  readonly durationMs: number;
  /** For people who look at the Lease: nobody's clock is compared with it. */
  readonly at: Date;
}

export function readLease({ spec }: KubeObject): LeaseRecord {
  const { holderIdentity, leaseDurationSeconds, leaseTransitions, acquireTime } = isRecord(spec) ? spec : {};
  return {
    holder: typeof holderIdentity === 'string' && holderIdentity !== '' ? holderIdentity : undefined,
    durationMs:
      typeof leaseDurationSeconds === 'number' && leaseDurationSeconds > 0
        ? leaseDurationSeconds * 1000
        : undefined,
    transitions: typeof leaseTransitions === 'number' ? leaseTransitions : 0,
    acquireTime: typeof acquireTime === 'string' ? acquireTime : undefined,
  };
}

export function newLease(
  name: { readonly namespace: string; readonly name: string },
  claim: LeaseClaim,
): KubeObject {
  const at = microTime(claim.at);
  return {
    apiVersion: resources.leases.apiVersion,
    kind: resources.leases.kind,
    metadata: { namespace: name.namespace, name: name.name },
    spec: { ...specOf(claim), acquireTime: at, renewTime: at, leaseTransitions: 0 },
  };
}

/** The Lease held by who claims it: renewed where it was held already, taken over where not. */
export function claimedLease(lease: KubeObject, claim: LeaseClaim): KubeObject {
  const before = readLease(lease);
  const isRenewal = before.holder === claim.identity;
  const at = microTime(claim.at);
  return withSpec(lease, {
    ...specOf(claim),
    acquireTime: isRenewal ? (before.acquireTime ?? at) : at,
    renewTime: at,
    leaseTransitions: before.transitions + (isRenewal ? 0 : 1),
  });
}

/** The Lease held by nobody. Its duration is short for those who look at the duration and not at the holder. */
export function releasedLease(lease: KubeObject, at: Date): KubeObject {
  const now = microTime(at);
  return withSpec(lease, { holderIdentity: '', leaseDurationSeconds: 1, acquireTime: now, renewTime: now });
}

function specOf({ identity, durationMs }: LeaseClaim): object {
  return { holderIdentity: identity, leaseDurationSeconds: Math.max(1, Math.ceil(durationMs / 1000)) };
}

function withSpec(lease: KubeObject, changed: object): KubeObject {
  return { ...lease, spec: { ...(isRecord(lease['spec']) ? lease['spec'] : {}), ...changed } };
}

/** As `MicroTime` (meta/v1) is written: six digits after the point. */
function microTime(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
