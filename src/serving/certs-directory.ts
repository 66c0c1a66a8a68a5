import { X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { checkKeyPair, coversHost, expiryOf, wasIssuedBy, type KeyPair } from './key-pair.js';
import { certFileNames, certsCommand } from './load-certs.js';
import { createSelfSigned, issueLeaf } from './self-signed.js';
import { ServingError, systemCodeOf } from './serving-error.js';

/** What development certificates are for unless told otherwise. */
export const developmentHosts: readonly string[] = ['localhost', '127.0.0.1', '::1'];

export interface DevelopmentCertsOptions {
  readonly now: Date;
  /** Default `developmentHosts`. */
  readonly hosts?: readonly string[];
  /** Write a new authority and a new pair over whatever is there. */
  readonly force?: boolean;
  /** A certificate with fewer days left counts as expiring. Default 30. */
  readonly renewBeforeDays?: number;
}

export interface DevelopmentCerts {
  /** `kept`: nothing was written. `renewed`: a new pair under the authority that was there. */
  readonly action: 'created' | 'renewed' | 'kept';
  readonly files: Readonly<Record<keyof typeof certFileNames, string>>;
  /** The end of the server certificate's validity. */
  readonly expires: Date;
  /** Wanted hosts that a kept certificate is not for. */
  readonly uncoveredHosts: readonly string[];
  /** One line for a person. */
  readonly summary: string;
}

/**
 * Writes `ca.crt`, `ca.key`, `tls.crt` and `tls.key` for development into a directory, which is made if need be.
 * Without `force` a sound pair is kept, an expired or soon expiring one is renewed under its authority (clients go on
 * trusting it), and anything else that is there is left alone with an error.
 *
 * @throws ServingError `CERTS_KEPT`, `CERTS_UNWRITABLE` or `HOST_INVALID`
 */
export async function writeDevelopmentCerts(
  directory: string,
  options: DevelopmentCertsOptions,
): Promise<DevelopmentCerts> {
  const { now, hosts = developmentHosts, force = false, renewBeforeDays = 30 } = options;
  const files = mapNames((name) => join(directory, name));
  const result = (action: DevelopmentCerts['action'], certificate: X509Certificate): DevelopmentCerts => {
    const expires = expiryOf(certificate);
    const uncoveredHosts = hosts.filter((host) => !coversHost(certificate, host));
    return { action, files, expires, uncoveredHosts, summary: summarise(action, files, expires) };
  };

  const plan = force
    ? ({ kind: 'create' } as const)
    : planFor(await readAll(files), files, directory, new Date(now.getTime() + renewBeforeDays * 86_400_000));
  switch (plan.kind) {
    case 'keep':
      return result('kept', plan.certificate);
    case 'renew': {
      const leaf = await issueLeaf({ now, hosts, ca: plan.ca });
      await write(directory, [
        { path: files.key, content: leaf.key, mode: 0o600 },
        { path: files.cert, content: leaf.cert, mode: 0o644 },
      ]);
      return result('renewed', new X509Certificate(leaf.cert));
    }
    case 'create': {
      const made = await createSelfSigned({ now, hosts });
      await write(directory, [
        { path: files.caKey, content: made.caKey, mode: 0o600 },
        { path: files.ca, content: made.caCert, mode: 0o644 },
        { path: files.key, content: made.key, mode: 0o600 },
        { path: files.cert, content: made.cert, mode: 0o644 },
      ]);
      return result('created', new X509Certificate(made.cert));
    }
  }
}

type CertFiles = DevelopmentCerts['files'];
type Contents = Readonly<Record<keyof typeof certFileNames, string | undefined>>;
type Plan =
  | { readonly kind: 'create' }
  | { readonly kind: 'renew'; readonly ca: KeyPair }
  | { readonly kind: 'keep'; readonly certificate: X509Certificate };

function planFor(found: Contents, files: CertFiles, directory: string, renewBefore: Date): Plan {
  const refuse = (problem: string): never => {
    throw new ServingError(
      'CERTS_KEPT',
      `${problem}; nothing was changed`,
      `to replace the authority and the certificate run: ${certsCommand(directory, '--force')}`,
    );
  };
  if (Object.values(found).every((content) => content === undefined)) return { kind: 'create' };

  const renew = (): Plan => {
    if (found.ca === undefined)
      return refuse(`${files.ca} is needed to sign a new certificate and is missing`);
    if (found.caKey === undefined)
      return refuse(`${files.caKey} is needed to sign a new certificate and is missing`);
    const ca = { cert: found.ca, key: found.caKey };
    const checked = checkKeyPair(ca);
    if (!checked.ok) return refuse(faultText(checked, { cert: files.ca, key: files.caKey }));
    if (!checked.certificate.ca) return refuse(`${files.ca} is not a certificate authority`);
    if (expiryOf(checked.certificate) <= renewBefore) {
      return refuse(`${files.ca} expires on ${dayOf(expiryOf(checked.certificate))}`);
    }
    return { kind: 'renew', ca };
  };

  if (found.cert === undefined && found.key === undefined) return renew();
  if (found.cert === undefined) return refuse(`${files.key} is there without ${files.cert}`);
  if (found.key === undefined) return refuse(`${files.cert} is there without ${files.key}`);
  const checked = checkKeyPair({ cert: found.cert, key: found.key });
  if (!checked.ok) return refuse(faultText(checked, files));
  if (found.ca !== undefined && !isSignedBy(checked.certificate, found.ca)) {
    return refuse(`${files.cert} is not signed by ${files.ca}`);
  }
  return expiryOf(checked.certificate) <= renewBefore
    ? renew()
    : { kind: 'keep', certificate: checked.certificate };
}

function faultText(
  checked: { readonly part: 'cert' | 'key' | 'pair'; readonly fault: string },
  files: { readonly cert: string; readonly key: string },
): string {
  if (checked.part === 'pair') return `${files.key} ${checked.fault} ${files.cert}`;
  return `${files[checked.part]} ${checked.fault}`;
}

function isSignedBy(certificate: X509Certificate, caPem: string): boolean {
  try {
    return wasIssuedBy(certificate, new X509Certificate(caPem));
  } catch {
    return false;
  }
}

function summarise(action: DevelopmentCerts['action'], files: CertFiles, expires: Date): string {
  const until = `valid until ${dayOf(expires)}`;
  switch (action) {
    case 'kept':
      return `kept ${files.cert} and ${files.key}: ${until}`;
    case 'renewed':
      return `renewed ${files.cert} and ${files.key} under ${files.ca}: ${until}`;
    case 'created':
      return `wrote ${files.cert} and ${files.key}, signed by ${files.ca}: ${until}`;
  }
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}

async function readAll(files: CertFiles): Promise<Contents> {
  const read = async (path: string): Promise<string | undefined> => {
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') return undefined;
      throw new ServingError(
        'CERTS_UNWRITABLE',
        `${path} cannot be read (${systemCodeOf(error) ?? 'unknown error'})`,
        'give this user access to the directory, or name another with --certs-dir',
        { cause: error },
      );
    }
  };
  const [ca, caKey, cert, key] = await Promise.all([
    read(files.ca),
    read(files.caKey),
    read(files.cert),
    read(files.key),
  ]);
  return { ca, caKey, cert, key };
}

async function write(
  directory: string,
  files: readonly { readonly path: string; readonly content: string; readonly mode: number }[],
): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
    for (const { path, content, mode } of files) await writeFileAtomic(path, content, { mode });
  } catch (error) {
    throw new ServingError(
      'CERTS_UNWRITABLE',
      `certificates cannot be written to ${directory} (${systemCodeOf(error) ?? 'unknown error'})`,
      'give this user access to the directory, or name another with --certs-dir',
      { cause: error },
    );
  }
}

function mapNames(map: (name: string) => string): CertFiles {
  return {
    ca: map(certFileNames.ca),
    caKey: map(certFileNames.caKey),
    cert: map(certFileNames.cert),
    key: map(certFileNames.key),
  };
}
