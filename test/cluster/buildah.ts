import { execFile } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { requireProgram } from '../conformance/program.js';
import { untilDeath } from './until-death.js';

/** buildah with a storage of its own: no daemon, no container engine, and no trace outside its folder. */
export class Buildah {
  readonly #program = requireProgram('buildah', 'buildah');
  readonly #folder: string;

  /** @param folder for images and layers, of which every one is a whole copy: some GB */
  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(join(folder, 'tmp'), { recursive: true });
    process.once('exit', this.#removeFolder);
  }

  /**
   * @returns what it writes to standard output
   * @throws Error with the end of its output when it fails
   */
  async run(args: readonly string[]): Promise<string> {
    const storage = [
      `--root=${join(this.#folder, 'root')}`,
      `--runroot=${join(this.#folder, 'run')}`,
      '--storage-driver=vfs',
    ];
    const command = untilDeath(this.#program, [...storage, ...args]);
    const env = { ...process.env, BUILDAH_ISOLATION: 'chroot', TMPDIR: join(this.#folder, 'tmp') };
    return new Promise((resolve, reject) => {
      execFile(
        command.program,
        command.args,
        { env, cwd: this.#folder, encoding: 'utf8', maxBuffer: 64 * 1024 ** 2 },
        (error, stdout, stderr) => {
          if (error === null) resolve(stdout);
          else {
            const end = `${stdout}${stderr}`.slice(-6_000);
            reject(new Error(`buildah ${args.join(' ')} failed:\n${end}`, { cause: error }));
          }
        },
      );
    });
  }

  /** Removes every image, container and layer; may be called twice. */
  remove(): void {
    process.off('exit', this.#removeFolder);
    this.#removeFolder();
  }

  readonly #removeFolder = (): void => {
    rmSync(this.#folder, { recursive: true, force: true });
  };
}
