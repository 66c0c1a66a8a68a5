import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { requireProgram } from '../conformance/program.js';

/** Paths of the programs that a test cluster is made of. */
export interface KubePrograms {
  readonly etcd: string;
  readonly kubeApiserver: string;
  readonly kubectl: string;
}

const getApiserver =
  'run test/cluster/build-kube-apiserver.sh, or let KUBEBUILDER_ASSETS name a folder that holds one';

/**
 * Finds the programs: in the folder that `KUBEBUILDER_ASSETS` names, then on PATH, and kube-apiserver at last where
 * build-kube-apiserver.sh has put it.
 *
 * @throws Error that names the first program that is missing and how to get it
 */
export function findKubePrograms(): KubePrograms {
  return { etcd: findEtcd(), kubeApiserver: findKubeApiserver(), kubectl: findKubectl() };
}

export function findEtcd(): string {
  return inAssets('etcd') ?? requireProgram('etcd', 'etcd-server');
}

export function findKubeApiserver(): string {
  return inAssets('kube-apiserver') ?? onPath('kube-apiserver') ?? builtApiserver();
}

export function findKubectl(): string {
  return inAssets('kubectl') ?? requireProgram('kubectl', 'kubernetes-client');
}

function inAssets(name: string): string | undefined {
  const assets = process.env['KUBEBUILDER_ASSETS'] ?? '';
  return assets !== '' && isExecutable(join(assets, name)) ? join(assets, name) : undefined;
}

function onPath(name: string): string | undefined {
  try {
    return requireProgram(name, name);
  } catch {
    return undefined;
  }
}

/** The one that was built last. */
function builtApiserver(): string {
  const caches = process.env['XDG_CACHE_HOME'] ?? '';
  const cache = join(caches === '' ? join(homedir(), '.cache') : caches, 'mirrorgate', 'kube-apiserver');
  const [newest] = entriesOf(cache)
    .map((version) => join(cache, version, 'kube-apiserver'))
    .filter(isExecutable)
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  if (newest === undefined)
    throw new Error(`the tests need kube-apiserver, which is not there: ${getApiserver}`);
  return newest;
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
