import { execFileSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  mkdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { requireProgram } from '../conformance/program.js';
import type { Buildah } from './buildah.js';

/** Node.js that the images of the Dockerfile hold. */
const nodeMajor = 24;
const nodePackage = `node-linux-${process.arch}@${nodeMajor}`;
const npmPackage = 'npm@11';

/** What the images that the Dockerfile names have in common, as far as a build can depend on it. */
const traits = [
  ['--env', 'HOME=/opt/app-root/src'],
  ['--env', 'NODEJS_VERSION=24'],
  ['--env', 'NPM_CONFIG_PREFIX=/opt/app-root/src/.npm-global'],
  ['--env', 'PATH=/opt/app-root/src/node_modules/.bin/:/opt/app-root/src/.npm-global/bin/:/usr/bin:/bin'],
  ['--workingdir', '/opt/app-root/src'],
  ['--user', '1001'],
  ['--cmd', '/usr/libexec/s2i/usage'],
  ['--label', 'name=base/nodejs'],
  ['--label', 'vendor=Base, Inc.'],
  ['--label', 'maintainer=Base, Inc.'],
  ['--label', 'version=1'],
  ['--label', 'release=1'],
  ['--label', 'summary=Base image'],
  ['--label', 'description=Base image'],
  ['--label', 'com.redhat.component=base-container'],
  ['--label', 'io.k8s.display-name=Base image'],
  ['--label', 'io.k8s.description=Base image'],
  ['--label', 'io.openshift.tags=base'],
  ['--label', 'io.openshift.expose-services=8080:http'],
].flat();

/**
 * Commits images under the very names of the Dockerfile, so that it builds as it is where no registry of images can be
 * reached: the builder has a shell, chmod and rm of this machine beside Node.js and npm; the runtime has Node.js and
 * nothing else, not even a shell.
 *
 * @param folder to work in; may be removed afterwards
 */
export async function commitStandInImages(
  buildah: Buildah,
  names: { readonly builder: string; readonly runtime: string },
  folder: string,
): Promise<void> {
  const { node, npm } = nodeAndNpm();
  const runtime = join(folder, 'runtime');
  makeRoot(runtime, [[node, '/usr/bin/node']]);
  await commit(buildah, runtime, names.runtime);

  const builder = join(folder, 'builder');
  makeRoot(builder, [
    [node, '/usr/bin/node'],
    [requireProgram('dash', 'dash'), '/bin/sh'],
    ...['env', 'chmod', 'rm'].map((name) => [requireProgram(name, 'coreutils'), `/usr/bin/${name}`] as const),
  ]);
  cpSync(npm, join(builder, 'usr/lib/node_modules/npm'), { recursive: true });
  writeFileSync(
    join(builder, 'usr/bin/npm'),
    '#!/bin/sh\nexec node /usr/lib/node_modules/npm/bin/npm-cli.js "$@"\n',
    { mode: 0o755 },
  );
  await commit(buildah, builder, names.builder);
}

/** Folder for what need not be fetched again for the next build; it holds nothing of the image itself. */
export function imageCache(): string {
  const caches = process.env['XDG_CACHE_HOME'] ?? '';
  return join(caches === '' ? join(homedir(), '.cache') : caches, 'mirrorgate', 'image');
}

/**
 * Node.js of the images' version, and npm, out of the npm packages of that name: from the cache, or by one
 * `npm install`.
 */
function nodeAndNpm(): { readonly node: string; readonly npm: string } {
  const folder = join(imageCache(), `${nodePackage}+${npmPackage}`);
  const modules = join(folder, 'node_modules');
  const found = {
    node: join(modules, `node-linux-${process.arch}`, 'bin', 'node'),
    npm: join(modules, 'npm'),
  };
  if (!isComplete(found)) {
    const making = `${folder}.${process.pid}`;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(making, { recursive: true });
    try {
      const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', making];
      execFileSync('npm', ['install', ...flags, nodePackage, npmPackage], { cwd: making, stdio: 'pipe' });
      renameSync(making, folder);
    } finally {
      rmSync(making, { recursive: true, force: true });
    }
    if (!isComplete(found)) throw new Error(`${nodePackage} holds no Node.js ${nodeMajor} at bin/node`);
  }
  return found;
}

function isComplete({ node, npm }: { readonly node: string; readonly npm: string }): boolean {
  try {
    accessSync(join(npm, 'bin', 'npm-cli.js'), constants.R_OK);
    accessSync(node, constants.X_OK);
  } catch {
    return false;
  }
  return execFileSync(node, ['--version'], { encoding: 'utf8' }).startsWith(`v${nodeMajor}.`);
}

/** A root file system with programs and the libraries that they are linked with. */
function makeRoot(root: string, programs: readonly (readonly [from: string, to: string])[]): void {
  for (const folder of ['dev', 'etc', 'proc', 'root', 'run', 'sys', 'tmp', 'opt/app-root/src']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  chmodSync(join(root, 'tmp'), 0o1777);
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/sbin/nologin\ndefault:x:1001:0::/opt/app-root/src:/sbin/nologin\n',
  );
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
  for (const [from, to] of programs) {
    for (const [source, target] of [
      [from, to] as const,
      ...librariesOf(from).map((path) => [path, path] as const),
    ]) {
      mkdirSync(join(root, dirname(target)), { recursive: true });
      cpSync(source, join(root, target), { dereference: true });
    }
  }
}

/** The paths that the dynamic linker finds, the linker's own among them. */
function librariesOf(program: string): string[] {
  const output = execFileSync('ldd', [program], { encoding: 'utf8' });
  return output.split('\n').flatMap((line) => /(?:=> |^\s*)(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

async function commit(buildah: Buildah, root: string, name: string): Promise<void> {
  const container = (await buildah.run(['from', 'scratch'])).trim();
  await buildah.run(['copy', container, root, '/']);
  await buildah.run(['config', ...traits, container]);
  await buildah.run(['commit', '--rm', container, name]);
  rmSync(root, { recursive: true });
}
