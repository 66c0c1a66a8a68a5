import { describe, expect, it } from 'vitest';
import type { EventToRecord } from '../../../src/cluster/event-series.js';
import { StandingEvents } from '../../../src/cluster/standing-events.js';
import { judgeExisting } from '../../../src/controller/judge-existing.js';
import { noInsecureRegistries } from '../../../src/mirrors/insecure-registries.js';
import type { MirrorSet } from '../../../src/mirrors/mirror-set.js';
import { defaultPolicy } from '../../../src/policy/policy.js';
import { idms, itms } from '../mirror-sets.js';

const sound = idms('set', [['quay.io/org/image', ['mirror.local/org/image']]]);
const misnamed = idms('set', [['quay.io/org/image', ['mirror.local/a', 'mirror.local/b']]]);
const byTag = itms('tags', [['quay.io/org/image', ['mirror.local/org/image']]]);

function makeTeller(gone: readonly string[] = []) {
  const told: EventToRecord[] = [];
  const events = new StandingEvents({
    recorder: { record: (event) => told.push(event) },
    objectOf: ({ kind, name }) =>
      gone.includes(name)
        ? undefined
        : { apiVersion: 'config.openshift.io/v1', kind, metadata: { name, uid: `uid-of-${name}` } },
  });
  const tell = (...sets: readonly MirrorSet[]) => {
    told.length = 0;
    events.tell(
      judgeExisting(sets, {
        policy: defaultPolicy(),
        insecure: noInsecureRegistries,
        now: new Date('2027-01-15'),
      }),
    );
    return told.map(({ type, reason }) => `${type} ${reason}`);
  };
  return { events, told, tell };
}

describe('StandingEvents', () => {
  it('tells at a set what would be denied, with the fix, and how much more there is', () => {
    const { tell, told } = makeTeller();
    expect(tell(misnamed)).toEqual(['Warning PolicyViolation']);
    expect(told[0]).toMatchObject({
      regarding: {
        apiVersion: 'config.openshift.io/v1',
        kind: 'ImageDigestMirrorSet',
        name: 'set',
        uid: 'uid-of-set',
      },
      action: 'Judge',
    });
    expect(told[0]!.note).toMatch(
      /^windows-mirror-path at spec\.imageDigestMirrors\[0\]\.mirrors\[0\]: .*use the mirror mirror\.local\/a\/org\/image.* \(and 1 more: mirrorgate check shows all\)$/,
    );
  });

  it('tells a warning as one, and says nothing of what is only recorded', () => {
    const { tell } = makeTeller();
    expect(tell(byTag)).toEqual(['Warning PolicyWarning']);
    expect(tell(sound)).toEqual([]);
  });

  it('tells each thing once, again when it changes, and when all is well', () => {
    const { tell } = makeTeller();
    expect(tell(misnamed)).toHaveLength(1);
    expect(tell(misnamed)).toEqual([]);
    expect(tell(idms('set', [['quay.io/org/image', ['mirror.local/c']]]))).toEqual([
      'Warning PolicyViolation',
    ]);
    expect(tell(sound)).toEqual(['Normal PolicyKept']);
    expect(tell(sound)).toEqual([]);
  });

  it('begins anew after another replica has told', () => {
    const { events, tell } = makeTeller();
    tell(misnamed);
    events.forget();
    expect(tell(misnamed)).toEqual(['Warning PolicyViolation']);
  });

  it('tells nothing of a set that is gone', () => {
    const { tell } = makeTeller(['set']);
    expect(tell(misnamed)).toEqual([]);
  });
});
