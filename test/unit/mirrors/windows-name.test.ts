import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { windowsNameFault } from '../../../src/mirrors/windows-name.js';

describe('windowsNameFault', () => {
  it.each([
    'hosts.toml',
    'quay.io',
    'mirror.local_5000_',
    '_default',
    '.hosts.toml.new',
    'a b',
    'connect',
    'console.example',
    'com10',
    'com',
    'lpt',
    'nul-registry.example',
    'registry.nul',
    'conin',
    'größe.example',
    'x'.repeat(255),
  ])('accepts %j', (name) => {
    expect(windowsNameFault(name)).toBeUndefined();
  });

  it.each(Array.from('<>:"/\\|?*'))('refuses the character %j and names it', (character) => {
    expect(windowsNameFault(`a${character}b`)).toContain(`holds ${JSON.stringify(character)}`);
  });

  it('refuses every control character', () => {
    for (let code = 0; code < 0x20; code += 1) {
      expect(windowsNameFault(`a${String.fromCharCode(code)}b`)).toContain('control character');
    }
  });

  it.each([
    ['a.', 'dot'],
    ['a ', 'space'],
    ['a. ', 'space'],
    ['...', 'dot'],
    ['con.', 'dot'],
  ])('refuses the trailing character of %j', (name, what) => {
    expect(windowsNameFault(name)).toContain(`ends with a ${what}`);
  });

  it.each(['', '.', '..'])('refuses %j, which names nothing new', (name) => {
    expect(windowsNameFault(name)).toEqual(expect.any(String));
  });

  it('refuses a name of more than 255 characters, and does not repeat all of it', () => {
    const fault = windowsNameFault('x'.repeat(5_000));
    expect(fault).toContain('5000 characters');
    expect(fault!.length).toBeLessThan(200);
  });

  const devices = [
    ...['CON', 'PRN', 'AUX', 'NUL', 'CONIN$', 'CONOUT$'],
    ...['COM', 'LPT'].flatMap((port) => Array.from('0123456789¹²³').map((digit) => `${port}${digit}`)),
  ];

  it.each(devices)('refuses the device %s in any case, with and without an extension', (device) => {
    for (const name of [
      device,
      device.toLowerCase(),
      `${device}.txt`,
      `${device.toLowerCase()}.example.com`,
    ]) {
      expect(windowsNameFault(name), name).toContain(`device ${device} `);
    }
    expect(windowsNameFault(`${device} .txt`)).toContain(`device ${device} `);
    expect(windowsNameFault(`x${device}`)).toBeUndefined();
    expect(windowsNameFault(`${device}x`)).toBeUndefined();
  });

  it('judges a name as it judges the same name in upper case', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9.$ ]{1,12}$/), (name) => {
        expect(windowsNameFault(name) === undefined).toBe(windowsNameFault(name.toUpperCase()) === undefined);
      }),
    );
  });
});
