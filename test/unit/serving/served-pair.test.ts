import { describe, expect, it } from 'vitest';
import { ServedPair } from '../../../src/serving/served-pair.js';
import type { ServingError } from '../../../src/serving/serving-error.js';

const expires = new Date('2031-01-01T00:00:00Z');
const pair = (cert: string) => ({ cert, key: 'key' });

describe('ServedPair', () => {
  it('tells of a listener that does not take a pair, and goes on with the others', () => {
    const faults: (ServingError | undefined)[] = [];
    const heard: string[] = [];
    const served = new ServedPair((fault) => faults.push(fault));
    // With nothing served yet neither is called here.
    served.onChange(({ cert }) => {
      if (cert === 'one') throw new Error('no');
    });
    served.onChange(({ cert }) => heard.push(cert));
    served.serve(pair('one'), expires);
    served.serve(pair('two'), expires);
    expect(faults.map((fault) => fault?.code)).toEqual(['CERT_BROKEN', undefined]);
    expect(heard).toEqual(['one', 'two']);
    expect(served.current()).toEqual({ ...pair('two'), expires });
  });

  it('calls nobody who has left, and nobody once it is closed', () => {
    const heard: string[] = [];
    const served = new ServedPair(() => undefined);
    const leave = served.onChange(({ cert }) => heard.push(cert));
    served.serve(pair('one'), expires);
    leave();
    served.serve(pair('two'), expires);
    served.onChange(({ cert }) => heard.push(`late ${cert}`));
    served.close();
    served.serve(pair('three'), expires);
    expect(heard).toEqual(['one', 'late two']);
  });
});
