import ssh2, { type ParsedKey } from 'ssh2';

/** An Ed25519 key pair in the forms that OpenSSH reads: a private key file and a one-line public key. */
export interface SshKeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

/**
 * Makes a new key pair. The library writes about one Ed25519 pair in 200 in a form that it cannot read itself, so each
 * is read back before it is handed out.
 */
export function generateSshKeyPair(): SshKeyPair {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519');
    const key = ssh2.utils.parseKey(pair.private);
    if (!(key instanceof Error)) return { privateKey: pair.private, publicKey: publicKeyLine(key) };
  }
}

/** The public half of a key in one line, `ssh-ed25519 AAAA…`, without a comment. */
export function publicKeyLine(key: ParsedKey): string {
  return `${key.type} ${key.getPublicSSH().toString('base64')}`;
}

/** Reads a key, private or public. @throws Error that says which key, and never shows it. */
export function readSshKey(text: string, what: string): ParsedKey {
  const parsed = ssh2.utils.parseKey(text);
  if (parsed instanceof Error) throw new Error(`${what} is not an SSH key`, { cause: parsed });
  return parsed;
}
