/** A containerd of its own, in a scratch folder, that pulls images through hosts.toml files. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import type { ContainerdPrograms } from './containerd-versions.js';
import { ServerProcess } from './server-process.js';

export interface PullOutcome {
  readonly succeeded: boolean;
  /** What `ctr` wrote. */
  readonly output: string;
}

export interface PullEnvironment {
  /** The folder of registry directories, each with its hosts.toml. */
  readonly hostsDirectory: string;
  /** Proxy for everything that is not on loopback, and thereby for every registry that is pretended. */
  readonly proxy: string;
  /** PEM file of the only authority that is trusted. */
  readonly trustedCa: string;
}

/** A pull takes a fraction of a second; what takes this long hangs. */
const pullTimeout = 60_000;

/** Plugins that want more than a scratch folder (kernel features, fixed paths), by the names of all versions. */
const disabledPlugins = [
  'io.containerd.grpc.v1.cri',
  'io.containerd.cri.v1.images',
  'io.containerd.cri.v1.runtime',
  'io.containerd.nri.v1.nri',
  'io.containerd.internal.v1.opt',
  'io.containerd.internal.v1.restart',
  'io.containerd.snapshotter.v1.aufs',
  'io.containerd.snapshotter.v1.blockfile',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.zfs',
];

export class Containerd {
  readonly programs: ContainerdPrograms;
  readonly #address: string;
  readonly #process: ServerProcess;

  private constructor(programs: ContainerdPrograms, address: string, process: ServerProcess) {
    this.programs = programs;
    this.#address = address;
    this.#process = process;
  }

  /** @param scratch an existing folder with a short path: it holds the socket */
  static async start(programs: ContainerdPrograms, scratch: string): Promise<Containerd> {
    const folder = join(scratch, `containerd-${programs.series}`);
    await mkdir(folder);
    const address = join(folder, 'sock');
    const config = join(folder, 'config.toml');
    await writeFile(
      config,
      stringify({
        version: 2,
        root: join(folder, 'root'),
        state: join(folder, 'state'),
        disabled_plugins: disabledPlugins,
        grpc: { address },
      }),
    );
    const process = await ServerProcess.start({
      name: `containerd ${programs.version}`,
      program: programs.containerd,
      args: ['--config', config],
      logFile: join(folder, 'log'),
      isReady: async () => (await ctr(programs, ['--address', address, 'version'], {})).succeeded,
    });
    return new Containerd(programs, address, process);
  }

  /** Pulls an image into the content store. No unpacking, so that nothing has to be mounted. */
  fetch(image: string, environment: PullEnvironment): Promise<PullOutcome> {
    const { hostsDirectory, proxy, trustedCa } = environment;
    return ctr(
      this.programs,
      ['--address', this.#address, 'content', 'fetch', '--hosts-dir', hostsDirectory, image],
      {
        HTTP_PROXY: proxy,
        HTTPS_PROXY: proxy,
        SSL_CERT_FILE: trustedCa,
        // Go reads folders of certificates besides; an empty name turns the built-in list off.
        SSL_CERT_DIR: '/nonexistent',
      },
    );
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }
}

function ctr(
  programs: ContainerdPrograms,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<PullOutcome> {
  return new Promise((resolve) => {
    // Nothing of the caller's environment: its proxy settings and certificates are not for these pulls. One thread is
    // enough for a pull, and many pulls run at once.
    const options = { env: { PATH: process.env['PATH'], GOMAXPROCS: '1', ...env }, timeout: pullTimeout };
    execFile(programs.ctr, args, options, (error, stdout, stderr) => {
      resolve({ succeeded: error === null, output: stdout + stderr });
    });
  });
}
