import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatBindAddress, parseBindAddress } from '../../../src/serving/bind-address.js';

describe('parseBindAddress', () => {
  it.each([
    ['127.0.0.1:8443', '127.0.0.1', 8443],
    ['0.0.0.0:0', '0.0.0.0', 0],
    ['localhost:8080', 'localhost', 8080],
    ['gate-1.example.com:65535', 'gate-1.example.com', 65535],
    [':8443', undefined, 8443],
    ['[::1]:8443', '::1', 8443],
    ['[::]:443', '::', 443],
  ])('reads %s', (text, host, port) => {
    expect(parseBindAddress(text)).toEqual({ ok: true, address: { host, port } });
  });

  it.each([
    ['8443', 'has no port'],
    ['', 'has no port'],
    ['localhost:', 'needs a port'],
    ['localhost:http', 'needs a port'],
    ['localhost:65536', 'needs a port'],
    ['localhost:-1', 'needs a port'],
    ['localhost: 80', 'needs a port'],
    ['::1:8443', 'without brackets'],
    ['https://localhost:8443', 'scheme'],
    ['[localhost]:8443', 'in brackets'],
    ['[127.0.0.1]:8443', 'in brackets'],
    ['*:8443', 'neither an IP address nor a host name'],
    ['300.1.1.1:8443', 'neither an IP address nor a host name'],
    ['-a.example:80', 'neither an IP address nor a host name'],
  ])('refuses %j and says why and what is expected', (text, reason) => {
    const parsed = parseBindAddress(text);
    expect(parsed).toMatchObject({ ok: false });
    expect(parsed.ok ? '' : parsed.fault).toContain(reason);
    expect(parsed.ok ? '' : parsed.fault).toContain('expected host:port, :port or [IPv6]:port');
  });

  it('reads back what formatBindAddress writes', () => {
    const hosts = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain(), fc.constant(undefined));
    fc.assert(
      fc.property(hosts, fc.integer({ min: 0, max: 65_535 }), (host, port) => {
        const address = { host, port };
        expect(parseBindAddress(formatBindAddress(address))).toEqual({ ok: true, address });
      }),
    );
  });
});
