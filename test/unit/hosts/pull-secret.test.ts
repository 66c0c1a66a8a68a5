import { describe, expect, it } from 'vitest';
import { parsePullSecret } from '../../../src/hosts/pull-secret.js';
import { reference } from '../mirror-sets.js';

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function auth(user: string): { auth: string } {
  return { auth: base64(`${user}:pass`) };
}

/** Who is logged in at a location: the user of the header that the look-up gives. */
function userAt(auths: Record<string, unknown>, location: string): string | undefined {
  const header = parsePullSecret(JSON.stringify({ auths })).credentialFor(reference(location));
  if (header === undefined) return undefined;
  const encoded = /^Basic (.+)$/.exec(header)?.[1] ?? '';
  return Buffer.from(encoded, 'base64').toString().split(':')[0];
}

function messages(auths: Record<string, unknown>): string[] {
  return parsePullSecret(JSON.stringify({ auths })).findings.map(({ message }) => message);
}

describe('which key covers a location', () => {
  const auths = {
    'quay.io': auth('whole'),
    'quay.io/org': auth('org'),
    'quay.io/org/team': auth('team'),
    'mirror.local:5000': auth('port'),
    'other.io/org': auth('scoped'),
  };

  it.each([
    ['quay.io', 'whole'],
    ['QUAY.io', 'whole'],
    ['quay.io/else', 'whole'],
    ['quay.io/org', 'org'],
    ['quay.io/org/else/deeper', 'org'],
    ['quay.io/org/team', 'team'],
    ['quay.io/org/team/image', 'team'],
    // Segments, not characters.
    ['quay.io/organisation', 'whole'],
    ['quay.io/org/teams', 'org'],
    ['mirror.local:5000/org', 'port'],
    ['mirror.local:5001', undefined],
    ['mirror.local', undefined],
    ['sub.quay.io', undefined],
    // A key for a path does not cover the registry around it.
    ['other.io', undefined],
    ['other.io/org', 'scoped'],
  ])('%s is opened by %s', (location, user) => {
    expect(userAt(auths, location)).toBe(user);
  });

  it.each([
    ['https://index.docker.io/v1/'],
    ['https://index.docker.io/v2/'],
    ['index.docker.io'],
    ['docker.io'],
    ['registry-1.docker.io'],
    ['https://registry-1.docker.io'],
  ])('%s is a key of Docker Hub under each of its names', (key) => {
    const hub = { [key]: auth('hub') };
    for (const location of [
      'docker.io',
      'docker.io/library',
      'registry-1.docker.io/org',
      'index.docker.io',
    ]) {
      expect(userAt(hub, location)).toBe('hub');
    }
    expect(userAt(hub, 'docker.io:443')).toBeUndefined();
  });

  it.each([
    ['https://quay.io', 'quay.io'],
    ['http://quay.io/', 'quay.io'],
    ['HTTPS://Quay.io/v1/', 'quay.io'],
    ['https://quay.io/v2', 'quay.io'],
    ['quay.io/v2/', 'quay.io'],
    ['https://quay.io/v2/org/', 'quay.io/org'],
    ['https://mirror.local:5000/v2/', 'mirror.local:5000'],
  ])('the address %s names %s', (key, location) => {
    expect(userAt({ [key]: auth('user') }, location)).toBe('user');
  });

  it('a plain v2 behind the host is a namespace', () => {
    const scoped = { 'quay.io/v2': auth('user') };
    expect(userAt(scoped, 'quay.io')).toBeUndefined();
    expect(userAt(scoped, 'quay.io/v2/image')).toBe('user');
  });

  it('of two keys for one location the one written as its location is wins, in any order', () => {
    const hub = { 'https://index.docker.io/v1/': auth('old'), 'docker.io': auth('new') };
    expect(userAt(hub, 'docker.io')).toBe('new');
    expect(userAt(Object.fromEntries(Object.entries(hub).reverse()), 'docker.io')).toBe('new');
  });

  it('of two keys for one location a usable one wins', () => {
    const hub = { 'https://index.docker.io/v1/': auth('old'), 'docker.io': { identitytoken: 'x' } };
    expect(userAt(hub, 'docker.io')).toBe('old');
  });
});

describe('what an entry comes to', () => {
  function header(entry: unknown): string | undefined {
    return parsePullSecret(JSON.stringify({ auths: { 'quay.io': entry } })).credentialFor(
      reference('quay.io'),
    );
  }

  it.each([
    ['auth', { auth: 'dXNlcjpwYXNz' }],
    ['auth without padding or with line breaks', { auth: 'dXNlcjp\nwYXNz\r\n' }],
    ['username and password', { username: 'user', password: 'pass' }],
    ['username and password beside an empty auth', { auth: '', username: 'user', password: 'pass' }],
    ['auth before username and password', { auth: 'dXNlcjpwYXNz', username: 'other', password: 'other' }],
    ['auth beside an identity token', { auth: 'dXNlcjpwYXNz', identitytoken: 'token' }],
    ['auth beside fields of other tools', { auth: 'dXNlcjpwYXNz', email: 'a@b', registrytoken: null }],
  ])('%s', (_, entry) => {
    expect(header(entry)).toBe('Basic dXNlcjpwYXNz');
  });

  it('text that is not ASCII is UTF-8, and a password may hold colons', () => {
    expect(header({ username: 'müller', password: 'a:b' })).toBe(`Basic ${base64('müller:a:b')}`);
  });

  it('missing padding is filled in', () => {
    expect(header({ auth: 'dXNlcjpwYXNzMQ' })).toBe('Basic dXNlcjpwYXNzMQ==');
  });

  it.each<[string, unknown, string]>([
    ['only an identity token', { identitytoken: 'sEcReT' }, 'only an identity token'],
    [
      'an identity token under a placeholder',
      { auth: base64('sEcReT:'), identitytoken: 'sEcReT' },
      'only an identity token',
    ],
    ['an auth of a lone colon', { auth: base64(':') }, 'without a user'],
    ['an auth without a password', { auth: base64('sEcReT:') }, 'without a password'],
    ['an auth without a user', { auth: base64(':sEcReT') }, 'without a user'],
    ['an auth without a colon', { auth: base64('sEcReT') }, 'not the base64 of user:password'],
    ['an auth that is not base64', { auth: 'sEcReT:pass' }, 'not base64'],
    ['an auth with data after its padding', { auth: 'dXNlcjpwYXNzMQ==dXNl' }, 'not base64'],
    ['an auth in the URL alphabet', { auth: 'dXNlcjpw-_8=' }, 'not base64'],
    ['a username alone', { username: 'sEcReT' }, 'no password'],
    ['a username with a colon', { username: 'sEc:ReT', password: 'x' }, 'with ":"'],
    ['a password alone', { password: 'sEcReT' }, 'neither auth nor'],
    ['nothing', {}, 'neither auth nor'],
    ['a number as auth', { auth: 1 }, 'not an object of text fields'],
    ['text', 'sEcReT', 'not an object of text fields'],
    ['null', null, 'not an object of text fields'],
  ])('%s gives no header but a finding with the key', (_, entry, reason) => {
    expect(header(entry)).toBeUndefined();
    const [finding, ...others] = parsePullSecret(JSON.stringify({ auths: { 'quay.io': entry } })).findings;
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ code: 'credential-unusable', key: 'quay.io' });
    expect(finding!.message).toContain('"quay.io"');
    expect(finding!.message).toContain(reason);
    expect(JSON.stringify(finding)).not.toContain('sEcReT');
    expect(finding!.message).not.toContain('\n');
  });

  it('an unusable entry does not hide the others', () => {
    const auths = { 'a.io': {}, 'b.io': auth('b') };
    expect(userAt(auths, 'b.io')).toBe('b');
    expect(messages(auths)).toHaveLength(1);
  });

  it('an unusable entry is not replaced by a less specific one', () => {
    const auths = { 'quay.io': auth('whole'), 'quay.io/org': { identitytoken: 'x' } };
    expect(userAt(auths, 'quay.io/org/image')).toBeUndefined();
    expect(userAt(auths, 'quay.io/else')).toBe('whole');
  });
});

describe('keys that name no location', () => {
  it.each(['', 'quay.io/Org', '*.quay.io', 'quay.io//org', 'ftp://quay.io', 'quay.io:port'])(
    '%j is reported',
    (key) => {
      const text = `{"auths":{${JSON.stringify(key)}:{"auth":"dXNlcjpwYXNz"},"b.io":{"auth":"dXNlcjpwYXNz"}}}`;
      const parsed = parsePullSecret(text);
      expect(parsed.findings.map((finding) => finding.code)).toEqual(['credential-unusable']);
      expect(parsed.findings[0]!.message).toContain(JSON.stringify(key));
      expect(parsed.credentialFor(reference('b.io'))).toBe('Basic dXNlcjpwYXNz');
    },
  );

  it('a user and password before the host, or a very long key, are not repeated', () => {
    const [finding] = parsePullSecret(
      JSON.stringify({ auths: { [`https://user:sEcReT@${'h'.repeat(10_000)}//x`]: {} } }),
    ).findings;
    expect(JSON.stringify(finding)).not.toContain('sEcReT');
    expect(finding!.message.length).toBeLessThan(200);
  });

  it('are reported in the order of their text', () => {
    const keys = parsePullSecret('{"auths":{"b//":{},"a//":{},"c//":{}}}').findings.map((finding) =>
      finding.code === 'credential-unusable' ? finding.key : finding.code,
    );
    expect(keys).toEqual(['a//', 'b//', 'c//']);
  });
});

describe('a document that is not a pull secret', () => {
  it.each([
    '',
    'sEcReT',
    '{"auths":{"quay.io":{"auth":"sEcReT"}}',
    '[]',
    'null',
    '{}',
    '{"auths":null}',
    '{"auths":["sEcReT"]}',
    '{"quay.io":{"auth":"sEcReT"}}',
  ])('%j gives one finding and no credentials', (text) => {
    const parsed = parsePullSecret(text);
    expect(parsed.findings).toEqual([
      { code: 'pull-secret-malformed', message: expect.stringContaining('.dockerconfigjson') as string },
    ]);
    expect(JSON.stringify(parsed.findings)).not.toContain('sEcReT');
    expect(parsed.credentialFor(reference('quay.io'))).toBeUndefined();
  });

  it('an empty auths is a pull secret without credentials', () => {
    expect(parsePullSecret('{"auths":{}}').findings).toEqual([]);
  });
});
