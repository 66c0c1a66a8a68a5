import { describe, expect, it } from 'vitest';
import {
  displayPath,
  joinRemote,
  lineageOf,
  parseRemoteRoot,
} from '../../../src/distribution/remote-path.js';

describe('parseRemoteRoot', () => {
  it.each([
    ['C:\\k\\containerd\\registries', '/C:/k/containerd/registries', true],
    ['C:/k/containerd/registries', '/C:/k/containerd/registries', true],
    ['/C:/k/containerd/registries', '/C:/k/containerd/registries', true],
    ['D:\\mirrors\\', '/D:/mirrors', true],
    ['C:\\k\\\\containerd', '/C:/k/containerd', true],
    ['/etc/containerd/certs.d', '/etc/containerd/certs.d', false],
    ['/etc//containerd/', '/etc/containerd', false],
  ])('takes %s as %s', (text, path, foldsCase) => {
    expect(parseRemoteRoot(text)).toEqual({ ok: true, root: { path, foldsCase } });
  });

  it.each([
    ['k\\containerd', /not an absolute path/],
    ['', /not an absolute path/],
    ['C:k', /not an absolute path/],
    ['\\\\server\\share', /not an absolute path/],
    ['//server/share', /not an absolute path/],
    ['C:\\', /whole drive/],
    ['/', /whole drive/],
    ['C:\\k\\..\\Windows', /"\.\."/],
  ])('refuses %s', (text, fault) => {
    const parsed = parseRemoteRoot(text);
    expect(parsed).toMatchObject({ ok: false, fault: expect.stringMatching(fault) as string });
  });
});

describe('paths', () => {
  it('lists a directory and those above it, but no drive', () => {
    expect(lineageOf('/C:/k/containerd/registries')).toEqual([
      '/C:/k',
      '/C:/k/containerd',
      '/C:/k/containerd/registries',
    ]);
    expect(lineageOf('/etc/containerd')).toEqual(['/etc', '/etc/containerd']);
  });

  it('shows Windows paths as Windows does, and others as they are', () => {
    expect(displayPath(joinRemote('/C:/k', 'quay.io', 'hosts.toml'))).toBe('C:\\k\\quay.io\\hosts.toml');
    expect(displayPath('/etc/containerd')).toBe('/etc/containerd');
  });
});
