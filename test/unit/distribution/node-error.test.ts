import { describe, expect, it } from 'vitest';
import {
  connectionError,
  fileError,
  hostKeyError,
  NodeError,
  type NodeErrorClass,
} from '../../../src/distribution/node-error.js';

const node = { name: 'win-1', address: '10.0.0.5', port: 22, username: 'Administrator' };
const errorWith = (message: string, extra: object = {}): Error => Object.assign(new Error(message), extra);

describe('connectionError', () => {
  it.each<[string, Error, NodeErrorClass, RegExp]>([
    [
      'a refused connection',
      errorWith('connect', { level: 'client-socket', code: 'ECONNREFUSED' }),
      'unreachable',
      /refused the connection/,
    ],
    [
      'an unknown name',
      errorWith('getaddrinfo', { level: 'client-socket', code: 'ENOTFOUND' }),
      'unreachable',
      /cannot be resolved/,
    ],
    [
      'a reset',
      errorWith('read', { level: 'client-socket', code: 'ECONNRESET' }),
      'unreachable',
      /closed the connection/,
    ],
    ['an odd socket error', errorWith('odd', { level: 'client-socket', code: 'EODD' }), 'unreachable', /odd/],
    [
      'a dead keep-alive',
      errorWith('Keepalive timeout', { level: 'client-timeout' }),
      'unreachable',
      /in time/,
    ],
    [
      'a drop before the handshake',
      errorWith('Connection lost before handshake', { level: 'protocol' }),
      'unreachable',
      /closed/,
    ],
    [
      'a refused key',
      errorWith('All configured', { level: 'client-authentication' }),
      'authentication',
      /refused user "Administrator" with a key of type ssh-ed25519/,
    ],
    [
      'a disconnect while logging in',
      errorWith('Too many authentication failures', { code: 2 }),
      'authentication',
      /refused user/,
    ],
    [
      'no common algorithm',
      errorWith('Handshake failed: no matching key exchange algorithm', { level: 'handshake' }),
      'protocol',
      /share no algorithm/,
    ],
    [
      'something that is no SSH',
      errorWith('Invalid identification string', { level: 'protocol' }),
      'protocol',
      /Invalid identification/,
    ],
  ])('classifies %s', (_, error, expected, message) => {
    const classified = connectionError(node, 'ssh-ed25519', error);
    expect(classified.class).toBe(expected);
    expect(classified.message).toMatch(message);
    expect(classified.message).toContain('10.0.0.5:22');
    expect(classified.cause).toBe(error);
    expect(classified.hint).not.toBe('');
  });

  it('says where the public key must be on a Windows node', () => {
    const { hint } = connectionError(node, 'ssh-rsa', errorWith('x', { level: 'client-authentication' }));
    expect(hint).toContain('C:\\ProgramData\\ssh\\administrators_authorized_keys');
    expect(hint).toContain('C:\\Users\\Administrator\\.ssh\\authorized_keys');
  });

  it('leaves alone what is classified already', () => {
    const error = new NodeError('disk-full', 'full', 'free some');
    expect(connectionError(node, '', error)).toBe(error);
    expect(fileError('write', '/C:/k', error)).toBe(error);
  });
});

describe('fileError', () => {
  it('names the file that is to be there, not the temporary one: the same at every try', () => {
    const messages = ['0af3', '77'].flatMap((suffix) => {
      const path = `/C:/k/quay.io/hosts.toml.${suffix}.mirrorgate-tmp`;
      return [3, 4].map((code) => fileError('create', path, errorWith('no', { code })).message);
    });
    expect(new Set(messages).size).toBe(2);
    expect(messages[0]).toContain('C:\\k\\quay.io\\hosts.toml (');
    expect(messages[1]).toContain('C:\\k\\quay.io\\hosts.toml (');
  });

  it.each<[string, Error, NodeErrorClass]>([
    ['permission denied', errorWith('Permission denied', { code: 3 }), 'permission'],
    ['a failure', errorWith('Failure', { code: 4 }), 'protocol'],
    ['a failure that names a full disk', errorWith('No space left on device', { code: 4 }), 'disk-full'],
    ['the words of Windows', errorWith('There is not enough space on the disk.', { code: 4 }), 'disk-full'],
    ['an unsupported operation', errorWith('Operation unsupported', { code: 8 }), 'protocol'],
  ])('classifies %s, and names the path as Windows does', (_, error, expected) => {
    const classified = fileError('write', '/C:/k/quay.io/hosts.toml', error);
    expect(classified.class).toBe(expected);
    expect(classified.message).toContain('write C:\\k\\quay.io\\hosts.toml');
  });

  it('keeps a message with line breaks in one line', () => {
    expect(fileError('write', '/C:/k', errorWith('two\r\nlines', { code: 4 })).message).toContain(
      '(two lines)',
    );
  });
});

describe('hostKeyError', () => {
  const found = 'SHA256:found';
  it('tells a changed key from an unknown one', () => {
    const refused = { accepted: false, found, hint: 'do this' } as const;
    const changed = hostKeyError(node, { ...refused, reason: 'changed', expected: ['SHA256:a', 'SHA256:b'] });
    expect(changed).toMatchObject({ class: 'host-key-mismatch', hint: 'do this' });
    expect(changed.message).toBe(
      'the host key of 10.0.0.5:22 has changed: expected SHA256:a or SHA256:b, found SHA256:found',
    );
    expect(hostKeyError(node, { ...refused, reason: 'unknown', expected: [] }).class).toBe(
      'host-key-unknown',
    );
    expect(hostKeyError(node, { ...refused, reason: 'revoked', expected: [] }).class).toBe(
      'host-key-mismatch',
    );
  });
});
