import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkKeyPair, expiryOf, type KeyPair } from './key-pair.js';
import { ServingError, systemCodeOf } from './serving-error.js';

/** Where the server's pair lies: a directory laid out like a `kubernetes.io/tls` Secret, or two files. */
export type CertSource =
  { readonly directory: string } | { readonly certFile: string; readonly keyFile: string };

/** A pair that a TLS server can serve. */
export interface LoadedCerts extends KeyPair {
  /** The end of the certificate's validity. Not enforced here: TLS clients do that. */
  readonly expires: Date;
}

/** The file names in a directory of certificates. */
export const certFileNames = { ca: 'ca.crt', caKey: 'ca.key', cert: 'tls.crt', key: 'tls.key' } as const;

/** The two files of a source. */
export function filesOf(source: CertSource): { readonly cert: string; readonly key: string } {
  return 'directory' in source
    ? {
        cert: join(source.directory, certFileNames.cert),
        key: join(source.directory, certFileNames.key),
      }
    : { cert: source.certFile, key: source.keyFile };
}

/**
 * Reads the server's pair and checks that it can be served.
 *
 * @throws ServingError `CERT_MISSING`, `CERT_BROKEN` or `CERT_MISMATCH`, each naming the file and what to do
 */
export async function loadCerts(source: CertSource): Promise<LoadedCerts> {
  const files = filesOf(source);
  const hint = hintFor(source);
  // One after the other, so that the same fault always gives the same message.
  const cert = await read(files.cert, hint);
  const key = await read(files.key, hint);

  const checked = checkKeyPair({ cert, key });
  if (checked.ok) return { cert, key, expires: expiryOf(checked.certificate) };
  if (checked.part === 'pair') {
    throw new ServingError('CERT_MISMATCH', `${files.key} ${checked.fault} ${files.cert}`, hint);
  }
  throw new ServingError('CERT_BROKEN', `${files[checked.part]} ${checked.fault}`, hint);
}

async function read(file: string, hint: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const problem = {
      ENOENT: 'does not exist',
      ENOTDIR: 'does not exist',
      EISDIR: 'is a directory',
      EACCES: 'may not be read by this user',
      EPERM: 'may not be read by this user',
    }[systemCodeOf(error) ?? ''];
    throw new ServingError('CERT_MISSING', `${file} ${problem ?? 'cannot be read'}`, hint, { cause: error });
  }
}

function hintFor(source: CertSource): string {
  if ('directory' in source) return `development certificates come from: ${certsCommand(source.directory)}`;
  return 'check --tls-cert and --tls-key, or leave out both and run: mirrorgate certs';
}

/** The command that writes development certificates into a directory. */
export function certsCommand(directory: string, ...flags: readonly string[]): string {
  const where = directory === 'certs' ? [] : ['--certs-dir', directory];
  return ['mirrorgate', 'certs', ...where, ...flags].join(' ');
}
