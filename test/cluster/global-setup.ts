import { rmSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { requireProgram } from '../conformance/program.js';
import { buildMirrorgate } from './built-mirrorgate.js';
import { findEtcd, findKubeApiserver, findKubectl } from './kube-programs.js';

const needed: readonly (() => unknown)[] = [
  findEtcd,
  findKubeApiserver,
  findKubectl,
  () => requireProgram('sshd', 'openssh-server'),
  () => requireProgram('ssh-keygen', 'openssh-client'),
  () => requireProgram('openssl', 'openssl'),
  () => requireProgram('buildah', 'buildah'),
];

/** Once before all tests: tells what is missing at the start and not in the middle, and builds what they run. */
export default async function setup(project: TestProject): Promise<() => void> {
  const missing = needed.map(wordsOf).filter((words) => words !== undefined);
  if (missing.length > 0) throw new Error(missing.join('\n'));
  const mirrorgate = await buildMirrorgate();
  const remove = (): void => {
    rmSync(mirrorgate.directory, { recursive: true, force: true });
  };
  // Not every run comes to its end.
  process.once('exit', remove);
  project.provide('mirrorgate', mirrorgate);
  return remove;
}

function wordsOf(find: () => unknown): string | undefined {
  try {
    find();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
