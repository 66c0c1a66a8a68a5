import fc from 'fast-check';
import { expect, it } from 'vitest';
import { certDataOf, parseCertData } from '../../../src/serving/cert-data.js';
import { firstState } from '../../../src/serving/cert-renewal.js';
import { CertWorld, host, lives, propagationMs } from './cert-world.js';

const second = 1000;
const minute = 60 * second;
const rules = { hosts: [host], lives, propagationMs };

type Trouble =
  | { readonly kind: 'time' }
  | { readonly kind: 'elect'; readonly who: number }
  | { readonly kind: 'restart'; readonly who: number; readonly lag: number }
  | { readonly kind: 'remove' }
  | { readonly kind: 'garble'; readonly key: string }
  | { readonly kind: 'replace' }
  | { readonly kind: 'rollback'; readonly to: number }
  | { readonly kind: 'bundle'; readonly bundle: string }
  | { readonly kind: 'failures'; readonly count: number };

const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Trouble>({ kind: 'time' }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('elect' as const), who: fc.nat(9) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('restart' as const), who: fc.nat(9), lag: fc.nat(20) }),
  },
  { weight: 1, arbitrary: fc.constant<Trouble>({ kind: 'remove' }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('garble' as const),
      key: fc.constantFrom('tls.crt', 'tls.key', 'ca.crt', 'ca.key'),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Trouble>({ kind: 'replace' }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rollback' as const), to: fc.nat(20) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('bundle' as const), bundle: fc.constantFrom('', 'x') }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('failures' as const), count: fc.nat(3) }) },
);

/** The seconds after a trouble. */
const course = fc.array(fc.tuple(trouble, fc.integer({ min: 0, max: 4 * 60 })), {
  minLength: 20,
  maxLength: 40,
});

it('whatever happens, no client is refused by a replica, and in the end all serve one good certificate', async () => {
  await fc.assert(
    fc.asyncProperty(fc.tuple(fc.nat(20), fc.nat(20), fc.nat(20)), course, async (lags, troubles) => {
      const world = new CertWorld();
      const names = ['one', 'two', 'three'];
      world.leader = 'one';
      for (const [n, name] of names.entries()) world.start(name, { lagMs: (lags[n] ?? 0) * second });
      await world.pass(3 * minute);
      world.refusals.length = 0;
      const past = [world.store.content!.data];
      /** Somebody new may come: there is something sound that clients trust. */
      const isSound = () => {
        const parsed = parseCertData(world.store.content?.data ?? {});
        return parsed.kind === 'sound' && world.target.bundle.includes(parsed.state.ca.cert);
      };

      for (const [event, seconds] of troubles) {
        switch (event.kind) {
          case 'time':
            await world.pass(5 * minute);
            break;
          case 'elect':
            await world.elect(names[event.who % 3]!);
            break;
          case 'restart': {
            if (!isSound()) break;
            const name = names[event.who % 3]!;
            const led = world.leader === name;
            await world.kill(name);
            if (led) await world.elect(names[(event.who + 1) % 3]!);
            world.start(name, { lagMs: event.lag * second });
            // It answers nothing before it has its first pair.
            world.clock.goTo(world.clock.now() + event.lag * second);
            await world.replicas.get(name)?.certs.check();
            break;
          }
          case 'remove':
            world.store.put(null);
            break;
          case 'garble':
            world.store.put({ ...world.store.content?.data, [event.key]: 'garbled' });
            break;
          case 'replace':
            world.store.put(certDataOf(await firstState(world.clock.now(), rules)));
            break;
          case 'rollback':
            world.store.put(past[event.to % past.length]!);
            break;
          case 'bundle':
            world.spoilBundle(event.bundle);
            break;
          case 'failures':
            world.store.failures.push(...Array.from({ length: event.count }, () => new Error('no')));
            break;
        }
        await world.pass(seconds * second);
        if (isSound()) past.push(world.store.content!.data);
      }
      await world.pass(5 * minute);

      expect(world.refusals).toEqual([]);
      const parsed = parseCertData(world.store.content?.data ?? {});
      if (parsed.kind !== 'sound') throw new Error(`the store is ${parsed.kind}`);
      for (const { certs } of world.replicas.values()) {
        expect(certs.current()).toMatchObject(parsed.state.leaf);
        expect(certs.readiness().ok).toBe(true);
      }
    }),
    // Shrinking would take longer than a test may.
    { numRuns: 3, endOnFailure: true },
  );
}, 180_000);
