import { alignMirror, sameReference } from '../../mirrors/naming.js';
import { formatReference, pathOf } from '../../mirrors/reference.js';
import { createAndUpdate, type Rule } from '../rule.js';

export const windowsMirrorPath: Rule = {
  id: 'windows-mirror-path',
  summary: 'a mirror whose path does not end with the whole path of its source',
  why: 'containerd on Windows puts the mirror before the whole repository path of the image: it asks for another repository than the one declared, and the pull fails or goes on to the source.',
  remedy:
    'Use a mirror whose path ends with the source path (mirror.local/any/prefix/<source path>), and copy the images there.',
  scope: 'windows',
  about: 'state',
  objectOnly: true,
  operations: createAndUpdate,
  actions: { audit: 'audit', baseline: 'deny', restricted: 'deny' },
  *find({ entries, settings }) {
    for (const { source, mirrors } of entries) {
      for (const { path, reference: mirror } of mirrors) {
        const { exact, asked } = alignMirror(source, mirror);
        if (exact) continue;
        const image = formatReference(asked);
        const consequence =
          settings.view.naming === 'omit'
            ? 'Windows nodes do not get it'
            : `a Windows node would pull ${image}`;
        // On the source's own registry, what a node would ask for can be the source itself: no mirror at all.
        const suggestion = sameReference(asked, source) ? undefined : image;
        yield {
          path,
          message: `"${formatReference(mirror)}" does not end with "${pathOf(source)}": ${consequence}`,
          fix:
            suggestion === undefined
              ? `use a mirror on another registry, or below a prefix, whose path ends with "${pathOf(source)}"`
              : `use the mirror ${suggestion} and copy the image there`,
          ...(suggestion !== undefined && { suggestion }),
          key: `${formatReference(source)} ${formatReference(mirror)}`,
        };
      }
    }
  },
};
