import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** mirrorgate as it is built for one run of the tests. */
export interface BuiltMirrorgate {
  /** Holds it all. */
  readonly directory: string;
  /** What node is to run. */
  readonly main: string;
  /** What the compiler says, where it could not build all of it. */
  readonly fault: string | undefined;
}

declare module 'vitest' {
  export interface ProvidedContext {
    readonly mirrorgate: BuiltMirrorgate;
  }
}

const root = join(import.meta.dirname, '../..');

/**
 * Compiles src/ into a folder of this run's own, so that it is what the tests run, and nobody else's dist/ changes
 * under them. Types are for `npm run typecheck`.
 */
export async function buildMirrorgate(): Promise<BuiltMirrorgate> {
  const directory = await mkdtemp(join(tmpdir(), 'mirrorgate-built-'));
  await copyFile(join(root, 'package.json'), join(directory, 'package.json'));
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const args = [tsc, '-p', 'tsconfig.build.json', '--noCheck', '--outDir', join(directory, 'dist')];
  const fault = await new Promise<string | undefined>((resolve) => {
    execFile(process.execPath, args, { cwd: root, encoding: 'utf8' }, (error, stdout) => {
      resolve(error === null ? undefined : stdout || error.message);
    });
  });
  return { directory, main: join(directory, 'dist/cli/main.js'), fault };
}
