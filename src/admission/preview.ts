import { hostsFileName } from '../hosts/desired-state.js';
import { renderHosts } from '../hosts/render.js';
import type { InsecureRegistries } from '../mirrors/insecure-registries.js';
import type { MirrorSet } from '../mirrors/mirror-set.js';
import { mergeRegistries, type ViewOptions } from '../mirrors/registry-view.js';

export interface PreviewFile {
  /** Below the registries directory of a node: `quay.io/hosts.toml`. */
  readonly path: string;
  readonly content: string;
}

export interface Preview {
  readonly files: readonly PreviewFile[];
  /** What rendering has to say about the sets. */
  readonly notices: readonly string[];
}

/** What Windows nodes would hold if these were all mirror sets there are. Credentials never stand in it. */
export function renderPreview(
  sets: readonly MirrorSet[],
  options: { readonly view: ViewOptions; readonly insecure: InsecureRegistries },
): Preview {
  const { desired, findings } = renderHosts(mergeRegistries(sets, options.view), {
    insecure: options.insecure,
  });
  return {
    files: [...desired.files].map(([directory, content]) => ({
      path: `${directory}/${hostsFileName}`,
      content,
    })),
    notices: findings.map(({ message }) => message),
  };
}
