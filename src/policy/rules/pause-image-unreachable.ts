import { formatTagAndDigest } from '../../mirrors/image-reference.js';
import type { MirrorSetIndex } from '../../mirrors/mirror-set-index.js';
import { entryField } from '../../mirrors/mirror-set.js';
import { covers, formatReference, pathOf, registryOf } from '../../mirrors/reference.js';
import { reachesWindows, registryConfig, windowsEntries } from '../../mirrors/registry-view.js';
import { everyOperation, type Rule, type RuleSettings } from '../rule.js';
import { windowsMirrors } from '../windows-mirrors.js';

export const pauseImageUnreachable: Rule = {
  id: 'pause-image-unreachable',
  summary: 'after the change, Windows nodes can no longer pull the pause image',
  why: 'Every Windows pod starts with the pause image, which nodes name by tag: without it no new pod starts, and an IDMS does not serve a tag.',
  remedy:
    'Mirror the pause image by tag with an ImageTagMirrorSet whose mirror ends with the whole repository path.',
  scope: 'windows',
  about: 'state',
  objectOnly: false,
  operations: everyOperation,
  actions: { audit: 'warn', baseline: 'warn', restricted: 'deny' },
  *find({ operation, set, old, entries, before, after, settings }) {
    const { repository } = settings.pauseImage;
    const registry = registryOf(repository);
    if (isReachable(after, settings)) return;

    const touches = [set, old].some((each) =>
      each?.entries.some(
        ({ source }) => source.parsed.ok && registryOf(source.parsed.reference) === registry,
      ),
    );
    if (!touches) return;

    const [first] = registryConfig(after, registry, settings.view)?.hosts ?? [];
    const suggestion =
      first && formatReference({ ...first.location, path: [...first.location.path, ...repository.path] });
    const own = operation === 'DELETE' ? undefined : windowsEntries(entries, settings.view);
    const entry =
      own?.find(({ source, policy }) => registryOf(source) === registry && policy === 'NeverContactSource') ??
      entries.find(({ source }) => registryOf(source) === registry);
    yield {
      path: entry?.path ?? `spec.${entryField[set.kind]}`,
      message: `Windows nodes would never contact ${registry}, and no exact mirror serves ${pathOf(repository)}${formatTagAndDigest(settings.pauseImage)}: no new Windows pod could start`,
      fix: `add an ImageTagMirrorSet for ${formatReference(repository)}${suggestion === undefined ? '' : ` with the mirror ${suggestion}`}`,
      key: registry,
      // Whoever did not cause it is not held up, as ratcheting sees to on UPDATE: least of all one who takes it away.
      ...(operation !== 'UPDATE' && !isReachable(before, settings) && { atMost: 'warn' as const }),
    };
  },
};

/**
 * The registry may be contacted, or an exact mirror covers the pause image's repository and may resolve its tag (or the
 * image is named by digest).
 */
function isReachable(index: MirrorSetIndex, { pauseImage, view }: RuleSettings): boolean {
  const { repository, digest } = pauseImage;
  // The merged config would say as much; but the state before is another one for each of many sets that are judged.
  const entries = index.entriesOf(registryOf(repository));
  const isForbidden = entries.some(
    (entry) => entry.policy === 'NeverContactSource' && reachesWindows(entry, view),
  );
  if (!isForbidden) return true;
  return entries.some(
    (entry) =>
      (digest !== undefined || entry.set.kind === 'ImageTagMirrorSet') &&
      covers(entry.source, repository) &&
      reachesWindows(entry, view) &&
      windowsMirrors(entry, view).some(({ exact, isSource }) => exact && !isSource),
  );
}
