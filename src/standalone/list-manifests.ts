import { readdir } from 'node:fs/promises';
import { extname, join, relative } from 'node:path';
import { compareText } from '../mirrors/mirror-set.js';

const extensions = new Set(['.yaml', '.yml', '.json']);

/** The manifests below a directory, hidden ones and those of hidden folders left out, sorted. */
export async function listManifests(directory: string): Promise<string[]> {
  const items = await readdir(directory, { recursive: true, withFileTypes: true });
  return items
    .filter((item) => !item.isDirectory() && extensions.has(extname(item.name).toLowerCase()))
    .map((item) => join(item.parentPath, item.name))
    .filter(
      (path) =>
        !relative(directory, path)
          .split(/[/\\]/)
          .some((part) => part.startsWith('.')),
    )
    .sort(compareText);
}
