import type { ManifestMirrorSet } from '../mirrors/manifest.js';
import { keyOf } from '../mirrors/mirror-set.js';
import type { DirectoryFault, ManifestFile } from './manifest-file.js';

/** What the files of a directory say together. */
export interface MergedManifests {
  /** By kind and name. */
  readonly located: ReadonlyMap<string, ManifestMirrorSet>;
  readonly insecureRegistries: readonly string[];
  /** Something of every file could be taken up. */
  readonly complete: boolean;
  readonly faults: readonly DirectoryFault[];
}

/** Of two files that hold the same mirror set, the first counts. */
export function mergeManifests(files: Iterable<ManifestFile>): MergedManifests {
  const all = [...files];
  const located = new Map<string, ManifestMirrorSet>();
  const faults = all.flatMap((file) => file.faults);
  // One that is not there at the moment comes last: it may have been renamed, and then says nothing new.
  for (const { parsed, isGone } of [
    ...all.filter((file) => !file.isGone),
    ...all.filter((file) => file.isGone),
  ]) {
    for (const manifest of parsed?.sets ?? []) {
      const key = keyOf(manifest.set);
      const first = located.get(key);
      if (first === undefined) located.set(key, manifest);
      else if (!isGone) {
        const { file, line } = manifest.locate('metadata.name');
        faults.push({
          where: `${file}:${line}`,
          message: `${key} stands in ${first.file} already; this one is ignored`,
        });
      }
    }
  }
  return {
    located,
    insecureRegistries: [...new Set(all.flatMap(({ parsed }) => parsed?.insecureRegistries ?? []))],
    complete: all.every(({ parsed }) => parsed !== undefined),
    faults,
  };
}
