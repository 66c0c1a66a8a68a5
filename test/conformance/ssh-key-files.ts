import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { requireProgram } from './program.js';

export interface SshKeyFileOptions {
  readonly type: 'ed25519' | 'ecdsa' | 'rsa';
  readonly bits?: number;
  readonly passphrase?: string;
  /** How the private key is written: OpenSSH's own form (the default), `PEM` (PKCS#1 or SEC 1) or `PKCS8`. */
  readonly format?: 'PEM' | 'PKCS8';
}

/** A key pair that ssh-keygen has made. */
export interface SshKeyFile {
  readonly path: string;
  readonly privateKey: string;
  /** One line, `ssh-ed25519 AAAA… comment`. */
  readonly publicKey: string;
}

/** Has ssh-keygen make a key pair at `path` and `path`.pub. */
export function makeSshKeyFile(path: string, options: SshKeyFileOptions): SshKeyFile {
  const bits = options.bits === undefined ? [] : ['-b', String(options.bits)];
  const format = options.format === undefined ? [] : ['-m', options.format];
  const { type, passphrase = '' } = options;
  sshKeygen('-q', '-t', type, ...bits, ...format, '-N', passphrase, '-C', 'mirrorgate', '-f', path);
  return {
    path,
    privateKey: readFileSync(path, 'utf8'),
    publicKey: readFileSync(`${path}.pub`, 'utf8').trim(),
  };
}

/** `SHA256:…` of a key file, as ssh-keygen tells it. */
export function fingerprintOfKeyFile(path: string): string {
  return sshKeygen('-l', '-f', path).split(' ')[1] ?? '';
}

/** Replaces the names in a known_hosts file by hashes. */
export function hashKnownHosts(path: string): void {
  sshKeygen('-H', '-f', path);
}

function sshKeygen(...parameters: readonly string[]): string {
  const program = requireProgram('ssh-keygen', 'openssh-client');
  return execFileSync(program, parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
