import { createHash, createPrivateKey, type KeyObject } from 'node:crypto';
import ssh2, { type ParsedKey } from 'ssh2';

/** The outcome of reading a private key: the key, or what is wrong with it and how to put it right. */
export type ReadPrivateKey =
  | { readonly ok: true; readonly key: ParsedKey }
  | { readonly ok: false; readonly fault: string; readonly hint: string };

const convert =
  'convert it to OpenSSH form: ssh-keygen -p -f FILE, or make a new one: ssh-keygen -t ed25519 -f FILE';

/**
 * Reads a private key: OpenSSH, PKCS#1, SEC 1 or PKCS#8; Ed25519, ECDSA or RSA. Neither key nor passphrase shows in
 * what is returned for a key that cannot be read.
 */
export function readPrivateKey(text: string, passphrase: string | undefined): ReadPrivateKey {
  const encrypted = /ENCRYPTED/.test(text) || text.includes('BEGIN OPENSSH');
  let readable: string;
  try {
    readable =
      / PRIVATE KEY-----/.test(text) && !/BEGIN (?:OPENSSH|RSA|EC|DSA) /.test(text)
        ? fromPkcs8(text, passphrase)
        : text;
  } catch (error) {
    return keyFault((error as Error).message, encrypted, passphrase);
  }

  const parsed = ssh2.utils.parseKey(readable.trim(), passphrase);
  const key = Array.isArray(parsed) ? (parsed[0] as ParsedKey | undefined) : parsed;
  if (key === undefined || key instanceof Error)
    return keyFault(key?.message ?? 'no key in it', encrypted, passphrase);
  if (!key.isPrivateKey()) {
    return { ok: false, fault: 'the key is a public key', hint: 'give the private half of the key pair' };
  }
  if (key.type === 'ssh-dss') {
    return { ok: false, fault: 'the private key is a DSA key, which servers no longer take', hint: convert };
  }
  return { ok: true, key };
}

/**
 * A reader that remembers what it read. To decrypt a key takes some hundred milliseconds of computing, and the nodes
 * of a fleet mostly share one.
 */
export function rememberingKeyReader(capacity = 16): typeof readPrivateKey {
  const known = new Map<string, ReadPrivateKey>();
  return (text, passphrase) => {
    const id = createHash('sha256')
      .update(JSON.stringify([text, passphrase]))
      .digest('base64');
    const read = known.get(id) ?? readPrivateKey(text, passphrase);
    known.delete(id);
    known.set(id, read);
    const [oldest] = known.keys();
    if (known.size > capacity && oldest !== undefined) known.delete(oldest);
    return read;
  };
}

function keyFault(message: string, encrypted: boolean, passphrase: string | undefined): ReadPrivateKey {
  if (/no passphrase given|passphrase required|interrupted or cancelled/i.test(message)) {
    return {
      ok: false,
      fault: 'the private key is encrypted and no passphrase is given',
      hint: 'give its passphrase',
    };
  }
  if (encrypted && passphrase !== undefined && /passphrase|bad decrypt|integrity check/i.test(message)) {
    return { ok: false, fault: 'the passphrase does not open the private key', hint: 'check the passphrase' };
  }
  return {
    ok: false,
    fault: 'the private key cannot be read: not an OpenSSH, PKCS#1, SEC 1 or PKCS#8 key',
    hint: convert,
  };
}

/** ssh2 does not read PKCS#8, the form that `openssl genpkey` writes: the same key in a form that it reads. */
function fromPkcs8(text: string, passphrase: string | undefined): string {
  const key = createPrivateKey(passphrase === undefined ? text : { key: text, passphrase });
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return key.export({ type: 'pkcs1', format: 'pem' }) as string;
    case 'ec':
      return key.export({ type: 'sec1', format: 'pem' }) as string;
    case 'ed25519':
      return opensshFromEd25519(key);
    default:
      throw new Error('unsupported type');
  }
}

/** An unencrypted `openssh-key-v1` file (OpenSSH's PROTOCOL.key) for an Ed25519 key, which has no older PEM form. */
function opensshFromEd25519(key: KeyObject): string {
  const { d, x } = key.export({ format: 'jwk' });
  if (d === undefined || x === undefined) throw new Error('no key in it');
  const type = Buffer.from('ssh-ed25519');
  const publicPart = Buffer.from(x, 'base64url');
  const publicKey = Buffer.concat([lengthAnd(type), lengthAnd(publicPart)]);
  const check = Buffer.alloc(4);
  const fields = Buffer.concat([
    check,
    check,
    publicKey,
    lengthAnd(Buffer.concat([Buffer.from(d, 'base64url'), publicPart])),
    lengthAnd(Buffer.alloc(0)),
  ]);
  const padding = Buffer.from(Array.from({ length: (8 - (fields.length % 8)) % 8 }, (_, index) => index + 1));
  const none = lengthAnd(Buffer.from('none'));
  const blob = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    none,
    none,
    lengthAnd(Buffer.alloc(0)),
    Buffer.from([0, 0, 0, 1]),
    lengthAnd(publicKey),
    lengthAnd(Buffer.concat([fields, padding])),
  ]);
  const lines = blob.toString('base64').match(/.{1,70}/g) ?? [];
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join(
    '\n',
  );
}

function lengthAnd(content: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
}
