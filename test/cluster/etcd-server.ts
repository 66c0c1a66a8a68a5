import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ServerProcess } from '../conformance/server-process.js';
import { freePort } from './free-port.js';
import { untilDeath } from './until-death.js';

/** An etcd of one member, on ports of 127.0.0.1. */
export interface EtcdServer {
  /** Where clients find it: `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Forgets every revision that anybody can know, the newest one too: it is made an old one first. */
  compact(): Promise<void>;
  stop(): Promise<void>;
}

/** @param directory of its own: data and log */
export async function startEtcd(program: string, directory: string): Promise<EtcdServer> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  const server = await ServerProcess.start({
    name: 'etcd',
    ...untilDeath(program, [
      `--data-dir=${join(directory, 'etcd')}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      ...(hasNoFsync(program) ? ['--unsafe-no-fsync'] : []),
    ]),
    logFile: join(directory, 'etcd.log'),
    startTimeout: 120_000,
    isReady: async () => {
      try {
        const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(1_000) });
        return answer.ok;
      } catch {
        return false;
      }
    },
  });

  const ask = async (path: string, body: object): Promise<unknown> => {
    const answer = await fetch(`${url}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`etcd does not do ${path}: ${await answer.text()}`);
    return answer.json();
  };

  return {
    url,
    async compact() {
      let newest = '';
      // A watch goes on after the revision that its client has: that one is to be forgotten as well.
      for (let written = 0; written < 2; written += 1) {
        const { header } = (await ask('put', { key: base64('/compaction'), value: '' })) as PutAnswer;
        newest = header.revision;
      }
      await ask('compaction', { revision: newest, physical: true });
    },
    stop: () => server.stop(),
  };
}

interface PutAnswer {
  readonly header: { readonly revision: string };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** Whether this etcd knows the flag: not every version that does lists it in its help. */
function hasNoFsync(program: string): boolean {
  return spawnSync(program, ['--unsafe-no-fsync', '--version']).status === 0;
}
