import { developmentHosts, writeDevelopmentCerts } from '../serving/certs-directory.js';
import { exitCodes } from './cli-error.js';
import type { Io } from './io.js';

export interface CertsFlags {
  readonly certsDir: string;
  /** Host names and addresses that the certificate is for, beside this machine's own. */
  readonly host: readonly string[];
  /** Replace what is there, the authority included. */
  readonly force?: boolean;
}

/** More days than a certificate has: whatever is there counts as about to expire. */
const renewAlways = 366;

/** `mirrorgate certs`: a development authority and server certificate. */
export async function certs(io: Io, flags: CertsFlags): Promise<number> {
  const options = {
    now: io.now(),
    hosts: [...new Set([...developmentHosts, ...flags.host])],
    force: flags.force === true,
  };
  const written = await writeDevelopmentCerts(flags.certsDir, options);
  // A certificate that is sound, but not for a host that is asked for, is renewed under the authority that is trusted.
  const { summary } =
    written.uncoveredHosts.length === 0
      ? written
      : await writeDevelopmentCerts(flags.certsDir, { ...options, renewBeforeDays: renewAlways });
  io.stdout.write(`${summary}\n`);
  return exitCodes.ok;
}
