import { formatTagAndDigest } from '../../mirrors/image-reference.js';
import { entryField } from '../../mirrors/mirror-set.js';
import { covers, formatReference, pathOf, registryOf } from '../../mirrors/reference.js';
import { registryConfig, windowsEntries } from '../../mirrors/registry-view.js';
import { everyOperation, type Rule, type Subject } from '../rule.js';
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
  *find(subject) {
    const { set, old, entries, after, settings } = subject;
    const { repository } = settings.pauseImage;
    const registry = registryOf(repository);
    const config = registryConfig(after, registry, settings.view);
    if (config?.neverContact !== true || isServed(subject)) return;

    const touches = [set, old].some((each) =>
      each?.entries.some(
        ({ source }) => source.parsed.ok && registryOf(source.parsed.reference) === registry,
      ),
    );
    if (!touches) return;

    const [first] = config.hosts;
    const suggestion =
      first && formatReference({ ...first.location, path: [...first.location.path, ...repository.path] });
    const own = subject.operation === 'DELETE' ? undefined : windowsEntries(entries, settings.view);
    const entry =
      own?.find(({ source, policy }) => registryOf(source) === registry && policy === 'NeverContactSource') ??
      entries.find(({ source }) => registryOf(source) === registry);
    yield {
      path: entry?.path ?? `spec.${entryField[set.kind]}`,
      message: `Windows nodes would never contact ${registry}, and no exact mirror serves ${pathOf(repository)}${formatTagAndDigest(settings.pauseImage)}: no new Windows pod could start`,
      fix: `add an ImageTagMirrorSet for ${formatReference(repository)}${suggestion === undefined ? '' : ` with the mirror ${suggestion}`}`,
      key: registry,
    };
  },
};

/** An exact mirror covers the pause image's repository, and may resolve its tag (or the image is named by digest). */
function isServed({ after, settings }: Subject): boolean {
  const { repository, digest } = settings.pauseImage;
  return windowsEntries(after.entriesOf(registryOf(repository)), settings.view).some(
    (entry) =>
      (digest !== undefined || entry.set.kind === 'ImageTagMirrorSet') &&
      covers(entry.source, repository) &&
      windowsMirrors(entry, settings.view).some(({ exact, isSource }) => exact && !isSource),
  );
}
