import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  carryOut,
  firstState,
  livesFault,
  planRenewal,
  type RenewalRules,
  type RenewalStep,
} from '../../../src/serving/cert-renewal.js';
import { bundleOf, defaultCertLives, lifeOf, type CertState } from '../../../src/serving/cert-state.js';
import { readBundle } from '../../../src/serving/pem-bundle.js';
import { refusal } from './verify-leaf.js';

const minute = 60_000;
const day = 24 * 60 * minute;
const start = Date.parse('2031-05-06T07:08:09Z');
const hosts = ['gate.test.svc', 'gate.test.svc.cluster.local'];
const rules: RenewalRules = { hosts, lives: { ca: 300 * day, leaf: 90 * day }, propagationMs: minute };
const nobody = () => undefined;

describe('firstState', () => {
  it('signs a leaf for the hosts that lives as long as asked', async () => {
    const state = await firstState(start, rules);
    expect(refusal(state.leaf.cert, bundleOf(state), start, hosts[1])).toBeUndefined();
    expect(lifeOf(state.leaf.cert).end).toBe(start + 90 * day);
    expect(lifeOf(state.ca.cert).end).toBe(start + 300 * day);
    expect(bundleOf(state)).toBe(state.ca.cert);
  });

  it('goes on trusting known authorities for as long as a leaf of theirs may be served, and no certificate else', async () => {
    const before = await firstState(start, rules);
    const short = await firstState(start, { ...rules, lives: { ca: 30 * day, leaf: 30 * day } });
    const known = [before.ca.cert, before.leaf.cert, short.ca.cert];
    const state = await firstState(start + day, rules, known);
    expect(state.retired).toEqual([
      { cert: before.ca.cert, until: start + 91 * day },
      { cert: short.ca.cert, until: start + 30 * day },
    ]);
    expect(refusal(before.leaf.cert, bundleOf(state), start + day)).toBeUndefined();
  });
});

describe('lifeOf', () => {
  it('counts the life from the issue, not from the earlier moment at which the validity begins', async () => {
    const { ca } = await firstState(start, { ...rules, lives: { ca: 60 * minute, leaf: 60 * minute } });
    expect(lifeOf(ca.cert)).toEqual({
      due: start + 40 * minute,
      spent: start + 55 * minute,
      end: start + 60 * minute,
    });
    expect(Date.parse(new X509Certificate(ca.cert).validFrom)).toBe(start - 5 * minute);
  });

  it('scales with lives of seconds', async () => {
    const { leaf } = await firstState(start, { ...rules, lives: { ca: 60_000, leaf: 6_000 } });
    expect(lifeOf(leaf.cert)).toEqual({ due: start + 4_000, spent: start + 5_400, end: start + 6_000 });
  });
});

describe('planRenewal', () => {
  it('does nothing until two thirds of the life of the leaf are over', async () => {
    const state = await firstState(start, rules);
    const due = start + 60 * day;
    expect(planRenewal(state, start, rules, nobody)).toEqual({ kind: 'nothing', until: due });
    expect(planRenewal(state, due - 1, rules, nobody)).toEqual({ kind: 'nothing', until: due });
    expect(planRenewal(state, due, rules, nobody)).toEqual({ kind: 'renew-leaf' });
  });

  it('renews the leaf when it is not for all hosts', async () => {
    const state = await firstState(start, rules);
    const more = { ...rules, hosts: [...hosts, 'other.test.svc'] };
    expect(planRenewal(state, start, more, nobody)).toEqual({ kind: 'renew-leaf' });
    const renewed = await carryOut({ kind: 'renew-leaf' }, state, start, more);
    expect(refusal(renewed.leaf.cert, bundleOf(state), start, 'other.test.svc')).toBeUndefined();
    expect(planRenewal(renewed, start, more, nobody)).toMatchObject({ kind: 'nothing' });
    expect(planRenewal(renewed, start, { ...rules, hosts: [hosts[0]!] }, nobody)).toMatchObject({
      kind: 'nothing',
    });
  });

  it('prepares an authority at two thirds, and lets it sign only once clients were told of it for long enough', async () => {
    const now = start + 200 * day;
    let state = await firstState(start, rules);
    state = await carryOut({ kind: 'renew-leaf' }, state, now - day, rules);
    expect(planRenewal(state, now - 1, rules, nobody)).toEqual({ kind: 'nothing', until: now });
    expect(planRenewal(state, now, rules, nobody)).toEqual({ kind: 'prepare-ca' });

    const prepared = await carryOut({ kind: 'prepare-ca' }, state, now, rules);
    expect(readBundle(bundleOf(prepared)).certs).toEqual([prepared.next?.cert, state.ca.cert]);
    expect(prepared.leaf).toBe(state.leaf);
    expect(planRenewal(prepared, now + day, rules, nobody)).toMatchObject({ kind: 'nothing' });
    const told = (cert: string) => (cert === prepared.next?.cert ? now + day : undefined);
    expect(planRenewal(prepared, now + day, rules, told)).toEqual({
      kind: 'nothing',
      until: now + day + minute,
    });
    expect(planRenewal(prepared, now + day + minute, rules, told)).toEqual({ kind: 'promote-ca' });

    const promoted = await carryOut({ kind: 'promote-ca' }, prepared, now + 2 * day, rules);
    expect(promoted.ca).toBe(prepared.next);
    expect(promoted.next).toBeUndefined();
    expect(readBundle(bundleOf(promoted)).certs).toEqual(readBundle(bundleOf(prepared)).certs);
    expect(promoted.retired).toEqual([{ cert: state.ca.cert, until: now + 92 * day }]);
    expect(refusal(promoted.leaf.cert, promoted.ca.cert, now + 2 * day)).toBeUndefined();
    const dropAt = now + 92 * day;
    const later = await carryOut({ kind: 'renew-leaf' }, promoted, dropAt - day, rules);
    expect(planRenewal(later, dropAt - 1, rules, nobody)).toEqual({ kind: 'nothing', until: dropAt });
    expect(planRenewal(later, dropAt, rules, nobody)).toEqual({ kind: 'drop-retired' });
    expect(bundleOf(await carryOut({ kind: 'drop-retired' }, later, dropAt, rules))).toBe(later.ca.cert);
  });

  it('does not wait for clients when the authority is at its end', async () => {
    const state = await firstState(start, rules);
    const prepared = await carryOut({ kind: 'prepare-ca' }, state, start + 250 * day, rules);
    const end = start + 300 * day;
    expect(planRenewal(prepared, end - 5 * minute, rules, nobody)).toEqual({ kind: 'promote-ca' });
    expect(planRenewal(state, end - 5 * minute, rules, nobody)).toEqual({ kind: 'replace-ca' });
    expect(planRenewal(state, end + 100 * day, rules, nobody)).toEqual({ kind: 'replace-ca' });

    const now = end + 100 * day;
    const replaced = await carryOut({ kind: 'replace-ca' }, prepared, now, rules);
    expect(refusal(replaced.leaf.cert, bundleOf(replaced), now)).toBeUndefined();
    expect(bundleOf(replaced)).toBe(replaced.ca.cert);
  });

  it('does not renew over and over a leaf that ends with its authority', async () => {
    const state = await firstState(start, { ...rules, lives: { ca: 90 * day, leaf: 90 * day } });
    const prepared = await carryOut({ kind: 'prepare-ca' }, state, start + 60 * day, rules);
    expect(planRenewal(prepared, start + 80 * day, rules, nobody)).toEqual({
      kind: 'nothing',
      until: start + 90 * day - 5 * minute,
    });
  });
});

/** One leader that carries out every step when it is due, or some time later; clients that learn of bundles late. */
async function live(
  { rules, until, late }: { rules: RenewalRules; until: number; late: () => number },
  onMoment: (moment: {
    readonly now: number;
    readonly state: CertState;
    readonly leaves: readonly string[];
    readonly bundles: readonly string[];
  }) => void,
): Promise<RenewalStep['kind'][]> {
  const steps: RenewalStep['kind'][] = [];
  let now = start;
  let state = await firstState(now, rules);
  const leaves = [state.leaf.cert];
  const history = [{ bundle: bundleOf(state), from: now }];
  const since = new Map([[state.ca.cert, now]]);
  while (now < until) {
    const newest = history.at(-1)!.from;
    // A bundle that was replaced may still be what a client knows.
    const bundles = history
      .filter(({ from }) => from === newest || newest + rules.propagationMs > now)
      .slice(-2);
    onMoment({ now, state, leaves, bundles: bundles.map(({ bundle }) => bundle) });
    const step = planRenewal(state, now, rules, (cert) => since.get(cert));
    if (step.kind === 'nothing') {
      expect(step.until).toBeGreaterThan(now);
      now = step.until + late();
      continue;
    }
    steps.push(step.kind);
    state = await carryOut(step, state, now, rules);
    if (!leaves.includes(state.leaf.cert)) leaves.push(state.leaf.cert);
    const bundle = bundleOf(state);
    if (bundle !== history.at(-1)!.bundle) history.push({ bundle, from: now });
    const { certs } = readBundle(bundle);
    for (const cert of certs) since.set(cert, since.get(cert) ?? now);
    for (const cert of [...since.keys()]) if (!certs.includes(cert)) since.delete(cert);
  }
  return steps;
}

function expectAllAccepted(
  now: number,
  leaves: readonly string[],
  bundles: readonly string[],
  current: string,
) {
  for (const bundle of bundles) expect(refusal(current, bundle, now)).toBeUndefined();
  // Any replica may lag behind by any number of leaves, as long as the one that it serves is valid.
  for (const leaf of leaves) {
    if (now >= lifeOf(leaf).end) continue;
    expect(refusal(leaf, bundles.at(-1)!, now)).toBeUndefined();
  }
}

describe('a life of years', () => {
  it('renews in time, and every client accepts every leaf that is still valid at every moment', async () => {
    const years: RenewalRules = { hosts, lives: defaultCertLives, propagationMs: minute };
    const until = start + 8 * 365 * day;
    let most = 0;
    const steps = await live({ rules: years, until, late: () => 0 }, ({ now, state, leaves, bundles }) => {
      expectAllAccepted(now, leaves, bundles, state.leaf.cert);
      expect(now).toBeLessThanOrEqual(lifeOf(state.leaf.cert).due);
      most = Math.max(most, readBundle(bundleOf(state)).certs.length);
    });
    const count = (kind: RenewalStep['kind']) => steps.filter((one) => one === kind).length;
    // Two thirds of five years and of ninety days; an authority is retired for ninety days.
    expect(count('promote-ca')).toBe(2);
    expect(count('prepare-ca')).toBe(2);
    expect(count('drop-retired')).toBe(2);
    expect(count('renew-leaf')).toBeGreaterThanOrEqual(Math.floor((8 * 365) / 60) - 2);
    expect(count('replace-ca')).toBe(0);
    expect(most).toBe(2);
  }, 60_000);

  it('holds for any lives, with a leader that acts late', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 600, max: 1_000_000 }),
        fc.integer({ min: 20, max: 100 }),
        fc.integer({ min: 1, max: 100 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 99 })),
        async (caSeconds, leafPercent, propagationPercent, delays) => {
          const ca = caSeconds * 1000;
          const leaf = Math.floor((ca * leafPercent) / 100);
          // Up to a sixth of the life of the authority.
          const propagationMs = Math.floor((ca / 6) * (propagationPercent / 100));
          const own: RenewalRules = { hosts, lives: { ca, leaf }, propagationMs };
          expect(livesFault(own)).toBeUndefined();
          // A quarter of the time that is left for a renewal.
          const longest = Math.min(leaf, ca / 2 - propagationMs) / 12;
          const late = () => Math.floor((longest * (delays.next().value ?? 0)) / 100);
          const steps = await live(
            { rules: own, until: start + 1.2 * ca, late },
            ({ now, state, leaves, bundles }) => {
              expectAllAccepted(now, leaves, bundles, state.leaf.cert);
            },
          );
          expect(steps).toContain('promote-ca');
          expect(steps).not.toContain('replace-ca');
        },
      ),
      { numRuns: 8 },
    );
  }, 60_000);
});

describe('livesFault', () => {
  it.each([
    [{ ca: 10, leaf: 11 }, 1, 'a certificate cannot live longer than its authority'],
    [
      { ca: 300, leaf: 100 },
      51,
      'an authority has to live at least six times as long as clients may take to learn of the next',
    ],
    [{ ca: 300, leaf: 300 }, 50, undefined],
  ])('judges %j with %d ms of propagation', (lives, propagationMs, fault) => {
    expect(livesFault({ lives, propagationMs })).toBe(fault);
  });
});
