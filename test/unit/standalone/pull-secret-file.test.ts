import { afterEach, describe, expect, it, vi } from 'vitest';
import { parsePullSecretFile } from '../../../src/standalone/pull-secret-file.js';

// No real credential; its parts are easy to find in whatever is said.
const password = 'Zq7Zq7Zq7Zq7';
const auth = Buffer.from(`robot:${password}`).toString('base64');
const document = { auths: { 'quay.io': { auth } } };
const encoded = Buffer.from(JSON.stringify(document)).toString('base64');

/** True when a text holds some part of a credential, plain or encoded. */
function tellsOf(text: string): boolean {
  const secrets = [password, auth, encoded];
  return secrets.some((secret) =>
    Array.from({ length: secret.length - 5 }, (_, at) => secret.slice(at, at + 6)).some((part) =>
      text.includes(part),
    ),
  );
}

describe('parsePullSecretFile', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('reads a .dockerconfigjson as JSON, and as YAML', () => {
    for (const text of [JSON.stringify(document), `auths:\n  quay.io:\n    auth: ${auth}\n`]) {
      const parsed = parsePullSecretFile(text);
      expect(parsed.ok && (JSON.parse(parsed.value) as unknown)).toEqual(document);
    }
  });

  it('reads a Secret manifest with data', () => {
    const text = `apiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockerconfigjson\ndata:\n  .dockerconfigjson: ${encoded}\n`;
    expect(parsePullSecretFile(text)).toEqual({ ok: true, value: JSON.stringify(document) });
  });

  it('reads a Secret manifest with stringData, which the API server lets win over data', () => {
    const secret = {
      kind: 'Secret',
      data: { '.dockerconfigjson': 'b3RoZXI=' },
      stringData: { '.dockerconfigjson': JSON.stringify(document) },
    };
    expect(parsePullSecretFile(JSON.stringify(secret))).toEqual({
      ok: true,
      value: JSON.stringify(document),
    });
  });

  it.each([
    ['an empty file', ''],
    ['a text', 'hello'],
    ['a list', '- auths'],
    ['another object', JSON.stringify({ kind: 'ConfigMap', data: { '.dockerconfigjson': encoded } })],
    ['a Secret without the key', JSON.stringify({ kind: 'Secret', data: { other: encoded } })],
    ['a Secret whose value is no text', JSON.stringify({ kind: 'Secret', data: { '.dockerconfigjson': 7 } })],
  ])('refuses %s, and says what is expected', (_, text) => {
    expect(parsePullSecretFile(text)).toEqual({
      ok: false,
      faults: [
        'has neither "auths" nor data[".dockerconfigjson"]; expected a .dockerconfigjson or a Secret manifest',
      ],
    });
  });

  it.each([
    ['cut off', `{"auths": {"quay.io": {"auth": "${auth}`],
    ['two keys of one name', `auths:\n  quay.io: {auth: ${auth}}\n  quay.io: {auth: ${auth}}\n`],
    ['an alias of nothing', `auths:\n  quay.io: {auth: *${password}}\n`],
    ['several documents', `auths: {}\n---\npassword: ${password}\n`],
    ['a tag that is not known', `auths:\n  quay.io:\n    auth: !${password} ${auth}\n`],
    ['a circle', `auths: &a\n  ${password}: *a\n`],
    ['a value that is no text', `auths:\n  quay.io: ${auth}: x\n`],
    ['a bare credential', auth],
    ['a Secret with a wrong type', `kind: Secret\ndata: ${encoded}\n`],
  ])('says nothing of a credential, neither in a fault nor in a warning of the process: %s', (_, text) => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const log = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const parsed = parsePullSecretFile(text);
    if (!parsed.ok) {
      expect(parsed.faults).toHaveLength(1);
      expect(tellsOf(parsed.faults.join('\n'))).toBe(false);
    }
    expect(warn).not.toHaveBeenCalled();
    expect(log).not.toHaveBeenCalled();
  });
});
