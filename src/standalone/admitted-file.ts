import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import type { AdmittedStore } from '../controller/admission-control.js';
import { parseManifests } from '../mirrors/manifest.js';
import { toManifest } from '../mirrors/mirror-set-manifest.js';

/** Keeps the sets in force in a file, as a `List` manifest that a person can read too. */
export function admittedFile(path: string): AdmittedStore {
  let last: string | undefined;
  return {
    async load() {
      try {
        last = await readFile(path, 'utf8');
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
        throw error;
      }
      if (last.trim() === '') throw unusable(`${path} is empty`);
      const { sets, faults } = parseManifests(last, path);
      const [fault] = faults;
      if (fault !== undefined) throw unusable(`${path}:${fault.line}: ${fault.message}`);
      return sets.map(({ set }) => set);
    },

    async save(sets) {
      const list = { apiVersion: 'v1', kind: 'List', items: sets.map(toManifest) };
      const text = `${JSON.stringify(list, null, 2)}\n`;
      if (text === last) return;
      await mkdir(dirname(path), { recursive: true });
      await writeFileAtomic(path, text);
      last = text;
    },
  };
}

/** To go on without it would take away whatever is in force and denied by now: that is for a person to decide. */
function unusable(what: string): Error {
  return new Error(`${what}; delete the file to start without what was admitted before`);
}
