import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admit, type Admission } from '../../../src/controller/admit.js';
import { noInsecureRegistries } from '../../../src/mirrors/insecure-registries.js';
import { indexMirrorSets } from '../../../src/mirrors/mirror-set-index.js';
import { compareMirrorSets, keyOf, type MirrorSet } from '../../../src/mirrors/mirror-set.js';
import { evaluate } from '../../../src/policy/evaluate.js';
import type { Action } from '../../../src/policy/finding.js';
import { defaultPolicy, type MirrorPolicy } from '../../../src/policy/policy.js';
import { clusters } from '../arbitraries.js';
import { idms, itms } from '../mirror-sets.js';

const context = (policy: MirrorPolicy) => ({
  policy,
  insecure: noInsecureRegistries,
  now: new Date('2027-01-15T12:00:00Z'),
});
const baseline = context(defaultPolicy('baseline'));
const restricted = context(defaultPolicy('restricted'));
const withRules = (rules: Readonly<Record<string, Action>>) =>
  context({ ...defaultPolicy('baseline'), rules: new Map(Object.entries(rules)) });

/** `kind/name` → operation and outcome. */
function outcomes({ verdicts }: Admission): Record<string, string> {
  return Object.fromEntries(
    verdicts.map(({ review, outcome }) => [keyOf(review.set), `${review.operation} ${outcome}`]),
  );
}

function denials({ verdicts }: Admission, set: MirrorSet): string[] {
  const verdict = verdicts.find(({ review }) => keyOf(review.set) === keyOf(set));
  return (verdict?.judgement.findings ?? [])
    .filter(({ action }) => action === 'deny')
    .map(({ rule }) => rule);
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item, at) =>
    permutations(items.filter((_, index) => index !== at)).map((rest) => [item, ...rest]),
  );
}

const exact = idms('exact', [['quay.io/org/image', ['mirror.local/org/image']]]);
/** Breaks the naming rule, whatever else there is. */
const misnamed = idms('misnamed', [['quay.io/org/image', ['mirror.local/other']]]);

describe('admit', () => {
  it('lets a new set in, by CREATE', () => {
    const admission = admit([exact], [], baseline);
    expect(outcomes(admission)).toEqual({ 'ImageDigestMirrorSet/exact': 'CREATE admitted' });
    expect(admission.admitted).toEqual([exact]);
    expect(admission.verdicts[0]?.changed).toBe(true);
  });

  it('keeps a denied new set out, and says why', () => {
    const admission = admit([misnamed], [], baseline);
    expect(outcomes(admission)).toEqual({ 'ImageDigestMirrorSet/misnamed': 'CREATE kept-out' });
    expect(admission.admitted).toEqual([]);
    expect(denials(admission, misnamed)).toEqual(['windows-mirror-path']);
  });

  it('takes up a change that passes, by UPDATE from what was in force', () => {
    const changed = idms('exact', [['quay.io/org/image', ['other.local/org/image']]]);
    const admission = admit([changed], [exact], baseline);
    expect(outcomes(admission)).toEqual({ 'ImageDigestMirrorSet/exact': 'UPDATE admitted' });
    expect(admission.admitted).toEqual([changed]);
    expect(admission.verdicts[0]).toMatchObject({ changed: true, review: { old: exact } });
  });

  it('keeps the last good version where a change is denied', () => {
    const spoilt = idms('exact', [['quay.io/org/image', ['mirror.local/other']]]);
    const admission = admit([spoilt], [exact], baseline);
    expect(outcomes(admission)).toEqual({ 'ImageDigestMirrorSet/exact': 'UPDATE last-good-kept' });
    expect(admission.admitted).toEqual([exact]);
    expect(denials(admission, spoilt)).toEqual(['windows-mirror-path']);
  });

  it('takes a set away that is not asked for any more, by DELETE', () => {
    const admission = admit([], [exact], baseline);
    expect(outcomes(admission)).toEqual({ 'ImageDigestMirrorSet/exact': 'DELETE removed' });
    expect(admission.admitted).toEqual([]);
    expect(admission.verdicts[0]?.changed).toBe(true);
  });

  it('says of a set that stays as it was that nothing changed, a label aside', () => {
    const [same] = admit(
      [idms('exact', [['quay.io/org/image', ['mirror.local/org/image']]])],
      [exact],
      baseline,
    ).verdicts;
    expect(same).toMatchObject({ outcome: 'admitted', changed: false });
    const [labelled] = admit([{ ...exact, labels: { team: 'a' } }], [exact], baseline).verdicts;
    expect(labelled).toMatchObject({ outcome: 'admitted', changed: true });
  });

  it('gives verdicts and sets in the order of kind and name', () => {
    const sets = [
      itms('a', [['quay.io/org/image', ['mirror.local/org/image']]]),
      idms('b', [['quay.io/org/image', ['mirror.local/org/image']]]),
      idms('a', [['quay.io/org/other', ['mirror.local/org/other']]]),
    ];
    const admission = admit(sets, [idms('c', [['quay.io/org/image', ['mirror.local/org/image']]])], baseline);
    expect(Object.keys(outcomes(admission))).toEqual([
      'ImageDigestMirrorSet/a',
      'ImageDigestMirrorSet/b',
      'ImageDigestMirrorSet/c',
      'ImageTagMirrorSet/a',
    ]);
    expect(admission.admitted.map(keyOf)).toEqual([
      'ImageDigestMirrorSet/a',
      'ImageDigestMirrorSet/b',
      'ImageTagMirrorSet/a',
    ]);
  });
});

describe('admit: sets that need each other', () => {
  const mcr = 'mcr.microsoft.com';
  const forbidding = idms('mcr', [[mcr, [`mirror.local`], 'NeverContactSource']]);
  const pause = itms('pause', [
    [`${mcr}/oss/kubernetes/pause`, ['mirror.local/oss/kubernetes/pause'], 'NeverContactSource'],
  ]);
  /** Forbids nothing by itself, so that `never-contact-widened` has nothing to say about it. */
  const pauseWithFallback = itms('pause', [
    [`${mcr}/oss/kubernetes/pause`, ['mirror.local/oss/kubernetes/pause']],
  ]);

  it('denies the one that leans on the other when it comes alone', () => {
    const admission = admit([forbidding], [], restricted);
    expect(outcomes(admission)).toEqual({ 'ImageDigestMirrorSet/mcr': 'CREATE kept-out' });
    expect(denials(admission, forbidding)).toEqual(['pause-image-unreachable']);
  });

  it.each([
    ['the leaning one first', [forbidding, pauseWithFallback]],
    ['the leaning one last', [pauseWithFallback, forbidding]],
  ])('lets both in when they come together, %s', (_, asked) => {
    const admission = admit(asked, [], restricted);
    expect(outcomes(admission)).toEqual({
      'ImageDigestMirrorSet/mcr': 'CREATE admitted',
      'ImageTagMirrorSet/pause': 'CREATE admitted',
    });
  });

  it('denies the one that leant on another that is denied for its own faults', () => {
    // In restricted, NeverContactSource on a repository is denied by never-contact-widened.
    const admission = admit([forbidding, pause], [], restricted);
    expect(outcomes(admission)).toEqual({
      'ImageDigestMirrorSet/mcr': 'CREATE kept-out',
      'ImageTagMirrorSet/pause': 'CREATE kept-out',
    });
    expect(denials(admission, pause)).toEqual(['never-contact-widened']);
    expect(denials(admission, forbidding)).toEqual(['pause-image-unreachable']);
  });

  it.each([
    ['new ones', []],
    ['changes', ['one', 'two'].map((name) => idms(name, [[mcr, ['mirror.local']]]))],
  ])(
    'does not let several break together what none may break alone, each blaming the others: %s',
    (_, held) => {
      const breaking = ['one', 'two'].map((name) =>
        idms(name, [[mcr, ['mirror.local'], 'NeverContactSource']]),
      );
      const admission = admit(breaking, held, restricted);
      expect(admission.admitted).toEqual(held);
      for (const set of breaking) expect(denials(admission, set)).toContain('pause-image-unreachable');

      const mended = admit([...breaking, pauseWithFallback], held, restricted);
      expect(mended.admitted).toEqual([...breaking, pauseWithFallback]);
    },
  );

  it('lets a policy be turned round in all sets of a source at once', () => {
    const all = (policy: 'AllowContactingSource' | 'NeverContactSource') =>
      ['one', 'two'].map((name) => idms(name, [['quay.io/org/image', ['mirror.local/org/image'], policy]]));
    const admission = admit(all('NeverContactSource'), all('AllowContactingSource'), baseline);
    expect(admission.admitted).toEqual(all('NeverContactSource'));
    // One alone may not.
    const [first] = all('NeverContactSource');
    const [, second] = all('AllowContactingSource');
    expect(admit([first!, second!], all('AllowContactingSource'), baseline).admitted).toEqual(
      all('AllowContactingSource'),
    );
  });

  it('does not let the one go that another leans on', () => {
    const admission = admit([forbidding], [forbidding, pauseWithFallback], restricted);
    expect(outcomes(admission)).toEqual({
      'ImageDigestMirrorSet/mcr': 'UPDATE admitted',
      'ImageTagMirrorSet/pause': 'DELETE removal-refused',
    });
    expect(admission.admitted).toEqual([forbidding, pauseWithFallback]);
    expect(denials(admission, pauseWithFallback)).toEqual(['pause-image-unreachable']);
  });

  it('lets both go together', () => {
    const admission = admit([], [forbidding, pauseWithFallback], restricted);
    expect(outcomes(admission)).toEqual({
      'ImageDigestMirrorSet/mcr': 'DELETE removed',
      'ImageTagMirrorSet/pause': 'DELETE removed',
    });
  });

  it('lets one be renamed, which takes away what is leant on and puts it in place again', () => {
    const renamed = { ...pauseWithFallback, name: 'another-name' };
    const admission = admit([forbidding, renamed], [forbidding, pauseWithFallback], restricted);
    expect(outcomes(admission)).toEqual({
      'ImageDigestMirrorSet/mcr': 'UPDATE admitted',
      'ImageTagMirrorSet/another-name': 'CREATE admitted',
      'ImageTagMirrorSet/pause': 'DELETE removed',
    });
  });
});

describe('admit: sets in conflict', () => {
  const allowing = idms('a-allows', [['quay.io/org/image', ['mirror.local/org/image']]]);
  const forbidding = idms('b-forbids', [
    ['quay.io/org/image', ['mirror.local/org/image'], 'NeverContactSource'],
  ]);

  it.each(permutations([allowing, forbidding, exact]))(
    'lets the first by kind and name in and the other not, whatever order they come in (%#)',
    (...asked) => {
      const admission = admit(asked, [], baseline);
      expect(outcomes(admission)).toEqual({
        'ImageDigestMirrorSet/a-allows': 'CREATE admitted',
        'ImageDigestMirrorSet/b-forbids': 'CREATE kept-out',
        'ImageDigestMirrorSet/exact': 'CREATE admitted',
      });
      expect(denials(admission, forbidding)).toEqual(['source-policy-conflict']);
    },
  );

  it('prefers what is in force already to a newcomer that comes first by name', () => {
    const admission = admit([allowing, forbidding], [forbidding], baseline);
    expect(outcomes(admission)).toEqual({
      'ImageDigestMirrorSet/a-allows': 'CREATE kept-out',
      'ImageDigestMirrorSet/b-forbids': 'UPDATE admitted',
    });
  });

  it('does not hold a set up because of one that is denied for its own faults', () => {
    const misnamedAndForbidding = idms('a-misnamed', [
      ['quay.io/org/image', ['mirror.local/other'], 'NeverContactSource'],
    ]);
    const admission = admit([misnamedAndForbidding, exact], [], baseline);
    expect(outcomes(admission)).toEqual({
      'ImageDigestMirrorSet/a-misnamed': 'CREATE kept-out',
      'ImageDigestMirrorSet/exact': 'CREATE admitted',
    });
    expect(denials(admission, exact)).toEqual([]);
  });

  it('does not let one in that would break another that got in before', () => {
    // c and d exclude each other; a is broken by c. All three are denied at first, and each but one could come back.
    const rules = withRules({ 'mirror-chain': 'deny' });
    const chained = idms('a', [['s.io/x', ['m.io/x']]]);
    const first = idms('c', [['m.io/x', ['n.io/x'], 'NeverContactSource']]);
    const second = idms('d', [['m.io/x', ['n.io/x']]]);
    for (const asked of permutations([chained, first, second])) {
      const admission = admit(asked, [], rules);
      expect(admission.admitted).toEqual([chained]);
      expect(denials(admission, chained)).toEqual([]);
    }
  });

  it('lets one in that leans on another which comes back only after it', () => {
    const mcr = 'mcr.microsoft.com';
    const leaning = idms('a', [[mcr, ['mirror.local'], 'NeverContactSource']]);
    // Both are denied at first for what they say of quay.io; then b comes back, and with it what a needs.
    const leantOn = itms('b', [
      [`${mcr}/oss/kubernetes/pause`, ['mirror.local/oss/kubernetes/pause']],
      ['quay.io/org/image', ['mirror.local/org/image']],
    ]);
    const rival = itms('c', [['quay.io/org/image', ['mirror.local/org/image'], 'NeverContactSource']]);
    const rules = withRules({ 'pause-image-unreachable': 'deny' });
    for (const asked of permutations([leaning, leantOn, rival])) {
      const admission = admit(asked, [], rules);
      expect(admission.admitted).toEqual([leaning, leantOn]);
      expect(outcomes(admission)['ImageTagMirrorSet/c']).toBe('CREATE kept-out');
    }
  });
});

describe('admit: a policy that became stricter', () => {
  const byTag = itms('by-tag', [['quay.io/org/image', ['mirror.local/org/image']]]);

  it('leaves what is in force alone, and denies the same set as a newcomer', () => {
    const admission = admit([byTag], [byTag], restricted);
    expect(outcomes(admission)).toEqual({ 'ImageTagMirrorSet/by-tag': 'UPDATE admitted' });
    expect(admission.verdicts[0]?.changed).toBe(false);
    expect(admission.verdicts[0]?.judgement.findings).toContainEqual(
      expect.objectContaining({ rule: 'digest-required', action: 'warn', lowered: true }),
    );
    expect(outcomes(admit([byTag], [], restricted))).toEqual({
      'ImageTagMirrorSet/by-tag': 'CREATE kept-out',
    });
  });

  it('denies what a change adds, and not what was there before', () => {
    const more = itms('by-tag', [
      ['quay.io/org/image', ['mirror.local/org/image']],
      ['quay.io/org/more', ['mirror.local/org/more']],
    ]);
    const admission = admit([more], [byTag], restricted);
    expect(outcomes(admission)).toEqual({ 'ImageTagMirrorSet/by-tag': 'UPDATE last-good-kept' });
    const denied = admission.verdicts[0]?.judgement.findings.filter(({ action }) => action === 'deny');
    expect(new Set(denied?.map(({ path }) => path))).toEqual(new Set(['spec.imageTagMirrors[1]']));
  });
});

describe('admit, for any sets', () => {
  const strict = [
    baseline,
    restricted,
    withRules({
      'mirror-chain': 'deny',
      'mirror-order-conflict': 'deny',
      'registry-policy-mixed': 'deny',
      'windows-mirror-path': 'audit',
    }),
  ];
  const cases = fc
    .record({ asked: clusters, held: clusters, rules: fc.constantFrom(...strict) })
    .chain((drawn) =>
      fc
        .shuffledSubarray(drawn.asked, { minLength: drawn.asked.length })
        .map((shuffled) => ({ ...drawn, shuffled })),
    );

  it('admits the same sets in any order of what is asked for', () => {
    fc.assert(
      fc.property(cases, ({ asked, shuffled, held, rules }) => {
        expect(admit(shuffled, held.toReversed(), rules)).toEqual(admit(asked, held, rules));
      }),
    );
  });

  it('judges every set it admits as allowed in the light of what is in force in the end', () => {
    fc.assert(
      fc.property(cases, ({ asked, held, rules }) => {
        const { admitted, verdicts } = admit(asked, held, rules);
        const index = indexMirrorSets(admitted);
        for (const { review, outcome, judgement } of verdicts) {
          const isIn = outcome === 'admitted' || outcome === 'removed';
          const again = evaluate(review, { ...rules, index });
          if (isIn) expect(judgement).toEqual(again);
          if (isIn) expect(again.allowed).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('has in force what was asked for or what was in force before, and nothing else', () => {
    fc.assert(
      fc.property(cases, ({ asked, held, rules }) => {
        const { admitted, verdicts } = admit(asked, held, rules);
        expect(admitted).toEqual(admitted.toSorted(compareMirrorSets));
        const expected = verdicts.flatMap(({ review, outcome }) => {
          if (outcome === 'admitted') return [review.set];
          return outcome === 'last-good-kept' || outcome === 'removal-refused'
            ? held.filter((set) => keyOf(set) === keyOf(review.set))
            : [];
        });
        expect(admitted).toEqual(expected);
        expect(new Set(verdicts.map(({ review }) => keyOf(review.set)))).toEqual(
          new Set([...asked, ...held].map(keyOf)),
        );
      }),
    );
  });

  it('never refuses what stays as it was', () => {
    fc.assert(
      fc.property(cases, ({ held, rules }) => {
        const { admitted, verdicts } = admit(held, held, rules);
        expect(admitted).toEqual(held.toSorted(compareMirrorSets));
        expect(verdicts.every(({ outcome, changed }) => outcome === 'admitted' && !changed)).toBe(true);
      }),
    );
  });
});
