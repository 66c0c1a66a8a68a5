import { rm } from 'node:fs/promises';
import type { TestProject } from 'vitest/node';
import { requireProgram } from '../conformance/program.js';
import { buildMirrorgate } from './built-mirrorgate.js';
import { findKubePrograms } from './kube-programs.js';

/** Once before all tests: tells what is missing at the start and not in the middle, and builds what they run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  findKubePrograms();
  requireProgram('sshd', 'openssh-server');
  requireProgram('ssh-keygen', 'openssh-client');
  requireProgram('openssl', 'openssl');
  const mirrorgate = await buildMirrorgate();
  project.provide('mirrorgate', mirrorgate);
  return () => rm(mirrorgate.directory, { recursive: true });
}
