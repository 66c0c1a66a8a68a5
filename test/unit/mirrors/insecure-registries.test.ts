import { describe, expect, it } from 'vitest';
import { noInsecureRegistries, parseInsecureRegistries } from '../../../src/mirrors/insecure-registries.js';
import { reference } from '../mirror-sets.js';

describe('parseInsecureRegistries', () => {
  const { registries } = parseInsecureRegistries(['Host.io', 'port.io:5000', 'path.io/org', '*.sub.io']);

  it.each([
    ['host.io', true],
    ['HOST.io/any/path', true],
    ['host.io:5000', false],
    ['a.host.io', false],
    ['port.io:5000/a', true],
    ['port.io', false],
    ['port.io:5001', false],
    ['path.io/org', true],
    ['path.io/org/deeper', true],
    ['path.io', false],
    ['path.io/organisation', false],
    ['a.sub.io:5000/x', true],
    ['a.b.sub.io', true],
    ['sub.io', false],
    ['other.io', false],
  ])('%s: %s', (location, expected) => {
    expect(registries.includes(reference(location))).toBe(expected);
  });

  it('reports items of none of the three forms, and uses the others', () => {
    const parsed = parseInsecureRegistries(['https://a.io', 'b.io', '', '*.c.io/d']);
    expect(parsed.faults).toEqual([
      { text: 'https://a.io', fault: expect.stringContaining('has a scheme') as string },
      { text: '', fault: expect.stringContaining('is empty') as string },
      { text: '*.c.io/d', fault: expect.stringContaining('wildcard with a path') as string },
    ]);
    expect(parsed.registries.includes(reference('b.io'))).toBe(true);
    expect(parsed.registries.includes(reference('a.io'))).toBe(false);
  });

  it('of nothing includes nothing', () => {
    expect(parseInsecureRegistries([]).registries.includes(reference('a.io'))).toBe(false);
    expect(noInsecureRegistries.includes(reference('a.io'))).toBe(false);
  });
});
