import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { compareText } from '../mirrors/mirror-set.js';

const extensions = new Set(['.yaml', '.yml', '.json']);

export interface ListManifestsOptions {
  /** Told of every folder before it is read, the directory itself first. */
  readonly onFolder?: (folder: string) => void;
  /** Told of a folder below the directory that cannot be read; without it that is thrown. */
  readonly onUnreadable?: (folder: string, error: unknown) => void;
}

/**
 * The manifests below a directory, hidden ones and those of hidden folders left out, sorted. Links to files are
 * followed, links to folders are not: they may lead in circles.
 *
 * @throws when the directory itself cannot be read
 */
export async function listManifests(
  directory: string,
  { onFolder, onUnreadable }: ListManifestsOptions = {},
): Promise<string[]> {
  const manifests: string[] = [];
  const visit = async (folder: string): Promise<void> => {
    onFolder?.(folder);
    for (const item of await readdir(folder, { withFileTypes: true })) {
      if (item.name.startsWith('.')) continue;
      const path = join(folder, item.name);
      if (!item.isDirectory()) {
        if (extensions.has(extname(item.name).toLowerCase())) manifests.push(path);
        continue;
      }
      try {
        await visit(path);
      } catch (error) {
        if (onUnreadable === undefined) throw error;
        onUnreadable(path, error);
      }
    }
  };
  await visit(directory);
  return manifests.sort(compareText);
}
