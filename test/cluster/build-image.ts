import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Buildah } from './buildah.js';
import { commitStandInImages, imageCache } from './stand-in-images.js';

const repository = resolve(import.meta.dirname, '../..');

/** What a container is started with, out of the image's configuration. */
export interface ImageConfig {
  readonly User: string;
  readonly WorkingDir: string;
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[] | null;
  /** `NAME=value`. */
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly ExposedPorts: Readonly<Record<string, object>>;
}

export interface BuiltImage {
  readonly config: ImageConfig;
  /** Folder with the root file system of a container that was made from the image. */
  readonly rootfs: string;
}

/**
 * Builds the Dockerfile as it stands, on stand-ins for the images that it names, out of what a clone of the repository
 * holds. npm is configured as it is on this machine.
 *
 * @param folder to work in
 * @throws Error with the end of the output of what failed
 */
export async function buildImage(
  buildah: Buildah,
  folder: string,
  buildArgs: Readonly<Record<string, string>>,
): Promise<BuiltImage> {
  mkdirSync(folder, { recursive: true });
  const { BUILDER_IMAGE: builder = '', RUNTIME_IMAGE: runtime = '' } = defaultArgs();
  await commitStandInImages(buildah, { builder, runtime }, folder);

  const context = join(folder, 'context');
  copyTrackedFiles(context);
  const npm = npmConfiguration(folder);
  const image = 'localhost/mirrorgate:test';
  await buildah.run([
    'bud',
    '--pull-never',
    '--isolation=chroot',
    ...Object.entries(buildArgs).map(([name, value]) => `--build-arg=${name}=${value}`),
    `--secret=id=npmrc,src=${npm.file}`,
    ...npm.volumes.map((volume) => `--volume=${volume}`),
    `--tag=${image}`,
    context,
  ]);
  const container = (await buildah.run(['from', '--pull-never', image])).trim();
  const inspected = JSON.parse(await buildah.run(['inspect', '--type=image', image])) as {
    readonly OCIv1: { readonly config: ImageConfig };
  };
  return {
    config: inspected.OCIv1.config,
    rootfs: (await buildah.run(['mount', container])).trim(),
  };
}

/** The arguments of the Dockerfile that have a default. */
export function defaultArgs(): Readonly<Record<string, string>> {
  const text = readFileSync(join(repository, 'Dockerfile'), 'utf8');
  return Object.fromEntries(
    [...text.matchAll(/^ARG (\w+)=(\S+)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
}

function copyTrackedFiles(to: string): void {
  const list = execFileSync('git', ['-C', repository, 'ls-files', '-z'], { encoding: 'utf8' });
  for (const file of list.split('\0')) {
    const from = join(repository, file);
    if (file === '' || !existsSync(from)) continue;
    mkdirSync(dirname(join(to, file)), { recursive: true });
    copyFileSync(from, join(to, file));
  }
}

/**
 * A file with this machine's npm configuration, for the build alone, and the volumes that it needs: packages that an
 * earlier build has fetched, and the certificate authority that npm trusts here.
 */
function npmConfiguration(folder: string): { readonly file: string; readonly volumes: readonly string[] } {
  const get = (name: string) =>
    execFileSync('npm', ['config', 'get', name], { cwd: folder, encoding: 'utf8' }).trim();
  const texts = [get('globalconfig'), get('userconfig')]
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, 'utf8'));
  const cache = join(imageCache(), 'npm');
  mkdirSync(cache, { recursive: true });
  const settings = [`registry=${get('registry')}`, 'cache=/run/npm-cache', 'prefer-offline=true'];
  const volumes = [`${cache}:/run/npm-cache`];
  const authority = [get('cafile'), process.env['NODE_EXTRA_CA_CERTS'] ?? ''].find(existsSync);
  if (authority !== undefined) {
    settings.push('cafile=/run/certificate-authority.crt');
    volumes.push(`${authority}:/run/certificate-authority.crt:ro`);
  }
  const file = join(folder, 'npmrc');
  // The last of two settings of one name holds.
  writeFileSync(file, `${[...texts, ...settings].join('\n')}\n`, { mode: 0o600 });
  return { file, volumes };
}
