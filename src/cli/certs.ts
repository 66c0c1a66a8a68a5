import { developmentHosts, writeDevelopmentCerts } from '../serving/certs-directory.js';
import { exitCodes } from './cli-error.js';
import { note, type Io } from './io.js';

export interface CertsFlags {
  readonly dir: string;
  /** Host names and addresses that the certificate is for, beside this machine's own. */
  readonly host: readonly string[];
  /** Replace what is there, the authority included. */
  readonly force?: boolean;
}

/** `mirrorgate certs`: a development authority and server certificate. */
export async function certs(io: Io, flags: CertsFlags): Promise<number> {
  const { summary, uncoveredHosts } = await writeDevelopmentCerts(flags.dir, {
    now: io.now(),
    hosts: [...new Set([...developmentHosts, ...flags.host])],
    force: flags.force === true,
  });
  io.stdout.write(`${summary}\n`);
  if (uncoveredHosts.length > 0) {
    note(
      io,
      `note: the certificate that was kept is not for ${uncoveredHosts.join(', ')}; --force makes a new one`,
    );
  }
  return exitCodes.ok;
}
