import { describe, expect, it } from 'vitest';
import { diffStates } from '../../../src/hosts/compare.js';

describe('diffStates', () => {
  it('lists added, changed and removed directories, sorted, and no others', () => {
    const before = new Map([
      ['same.io', '1'],
      ['z-gone.io', '1'],
      ['a-gone.io', '1'],
      ['z-changed.io', '1'],
      ['a-changed.io', '1'],
    ]);
    const after = new Map([
      ['z-new.io', '1'],
      ['z-changed.io', '2'],
      ['a-changed.io', ''],
      ['same.io', '1'],
      ['a-new.io', ''],
    ]);
    expect(diffStates(before, after)).toEqual({
      added: ['a-new.io', 'z-new.io'],
      changed: ['a-changed.io', 'z-changed.io'],
      removed: ['a-gone.io', 'z-gone.io'],
    });
  });

  it('finds nothing between equal states', () => {
    const files = new Map([['a.io', '1']]);
    expect(diffStates(files, new Map(files))).toEqual({ added: [], changed: [], removed: [] });
  });
});
