import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { knownHostsName, type HostKeyStore, type HostKeyVerdict, type SshHost } from './host-key-store.js';
import { judgeKey, keyTypes, linesFor, parseKnownHosts, withPin } from './known-hosts.js';

/**
 * Trust on first use: the first key that a host shows is pinned in a file of known_hosts format, and from then on the
 * host must show that key. Checks run one after another, so that hosts met at the same time all keep their pins. One
 * process at a time may use a file.
 */
export function pinnedKeysFile(path: string): HostKeyStore {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work, work);
    last = turn.catch(() => undefined);
    return turn;
  };

  const check = async (host: SshHost, key: Buffer): Promise<HostKeyVerdict> => {
    const text = await readIfThere(path);
    const verdict = judgeKey(linesFor(parseKnownHosts(text), host), key, (lines) =>
      lines.some(({ revoked }) => revoked)
        ? `the key is revoked by line ${lineNumbers(lines)} of ${path}: do not use this host; give it a new host key`
        : `if the node was reinstalled, remove line ${lineNumbers(lines)} of ${path}: its key is then pinned anew ` +
          `(ssh-keygen -R "${knownHostsName(host.address, host.port)}" -f "${path}")`,
    );
    if (verdict !== undefined) return verdict;
    await replaceFile(path, withPin(text, host, key));
    return { accepted: true, pinned: true };
  };

  return {
    check: (host, key) => inTurn(() => check(host, key)),
    knownKeyTypes: (host) =>
      inTurn(async () => keyTypes(linesFor(parseKnownHosts(await readIfThere(path)), host))),
  };
}

function lineNumbers(lines: readonly { readonly line: number }[]): string {
  return lines.map(({ line }) => line).join(', ');
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Whoever reads, or dies meanwhile, never leaves or sees a half file. A link stays a link. */
async function replaceFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFileAtomic(path, text, { mode: 0o600 });
}
