import { formatReference, registryOf, type Reference } from './reference.js';

/**
 * How a mirror of a source works on Windows. containerd puts the mirror's URL before the whole repository path of
 * the image it pulls; so a mirror is exact only if its path ends, segment by segment, with the source's path.
 */
export interface Alignment {
  /** The naming rule holds: a Windows node asks for exactly the declared mirror. */
  readonly exact: boolean;
  /**
   * What is left of the mirror's path after the source's path is removed from its end; for an inexact mirror, after
   * the longest common path suffix is removed (as WMCO does).
   */
  readonly prefix: readonly string[];
  /** What a Windows node asks for instead of `source`: mirror registry, prefix, source path. */
  readonly asked: Reference;
}

/** Compares path segments only: the host never takes part (`docker.io` → `harbor.local/docker.io` keeps its prefix). */
export function alignMirror(source: Reference, mirror: Reference): Alignment {
  const shorter = Math.min(source.path.length, mirror.path.length);
  let common = 0;
  while (common < shorter && source.path.at(-1 - common) === mirror.path.at(-1 - common)) common += 1;

  const prefix = mirror.path.slice(0, mirror.path.length - common);
  return {
    exact: common === source.path.length,
    prefix,
    asked: { ...mirror, path: [...prefix, ...source.path] },
  };
}

/** The registry that serves a registry's API: `docker.io` is only a name, `registry-1.docker.io` answers for it. */
export function apiRegistryOf(reference: Reference): string {
  const registry = registryOf(reference);
  return registry === 'docker.io' ? 'registry-1.docker.io' : registry;
}

/** True when both name the same repository (or registry), host case aside. docker.io and its API host are two names. */
export function sameReference(left: Reference, right: Reference): boolean {
  return formatReference(left) === formatReference(right);
}
