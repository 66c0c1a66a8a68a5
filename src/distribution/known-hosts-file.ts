import { readFile } from 'node:fs/promises';
import { fingerprintOf, knownHostsName, type HostKeyStore, type SshHost } from './host-key-store.js';
import { judgeKey, keyTypes, linesFor, parseKnownHosts, type KnownHostLine } from './known-hosts.js';

/**
 * Trusts the hosts of an OpenSSH known_hosts file and nobody else. The file is read again at each check, so that an
 * edit holds from the next connection on; it is never written.
 */
export function knownHostsFile(path: string): HostKeyStore {
  const read = async (host: SshHost): Promise<KnownHostLine[]> =>
    linesFor(parseKnownHosts(await readFile(path, 'utf8')), host);

  return {
    async check(host, key) {
      const verdict = judgeKey(await read(host), key, (lines) => {
        const where = `line ${lines.map(({ line }) => line).join(', ')} of ${path}`;
        return lines.some(({ revoked }) => revoked)
          ? `the key is revoked by ${where}: do not use this host; give it a new host key`
          : `if the node was reinstalled, replace ${where} by the output of: ${scan(host)}`;
      });
      return (
        verdict ?? {
          accepted: false,
          reason: 'unknown',
          expected: [],
          found: fingerprintOf(key),
          hint: `compare the fingerprint with the node's own, then add the host: ${scan(host)} >> ${path}`,
        }
      );
    },
    async knownKeyTypes(host) {
      return keyTypes(await read(host));
    },
  };
}

function scan(host: SshHost): string {
  const port = knownHostsName(host.address, host.port).startsWith('[') ? `-p ${host.port} ` : '';
  return `ssh-keyscan ${port}${host.address}`;
}
