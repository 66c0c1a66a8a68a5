import { linuxSource, type LinuxMirror, type LinuxSource } from '../../mirrors/linux-view.js';
import { entryField, validEntries, type MirrorSet } from '../../mirrors/mirror-set.js';
import { formatReference, type Reference } from '../../mirrors/reference.js';
import { everyOperation, type Rule } from '../rule.js';

export const linuxNodesDrain: Rule = {
  id: 'linux-nodes-drain',
  summary: 'a change that makes the Machine Config Operator drain and update every Linux node',
  why: 'Only new digest mirrors are taken up without draining. A tag mirror added, a source or mirror removed, or a source blocked or unblocked drains every node of every pool, one after another.',
  remedy:
    'Mirror by digest where a tag is not needed, and make the remaining changes together, in a maintenance window.',
  scope: 'any',
  about: 'change',
  objectOnly: false,
  operations: everyOperation,
  actions: { audit: 'audit', baseline: 'warn', restricted: 'warn' },
  *find({ set, old, before, after, settings }) {
    const versions = old === undefined ? [set] : [set, old];
    const sources = new Map(
      versions.flatMap(validEntries).map(({ source }) => [formatReference(source), source] as const),
    );
    const paths = ownPaths(set);
    const pauseRepository = formatReference(settings.pauseImage.repository);
    const causes = [...sources].flatMap(([text, source]) =>
      causesOf(text, linuxSource(before, source), linuxSource(after, source), {
        pathOfSource: paths.ofSource.get(text) ?? `spec.${entryField[set.kind]}`,
        pathOfMirror: (mirror) => paths.ofMirror.get(`${text} ${formatReference(mirror)}`),
        // An IDMS does not serve the pause image, which is named by tag.
        avoidable: text !== pauseRepository,
      }),
    );
    const [first, ...more] = causes;
    if (first === undefined) return;
    yield {
      path: first.path,
      message: `${first.what}${more.length === 0 ? '' : ` (and ${more.length} more)`}: every Linux node is drained, one after another`,
      fix: causes.every(({ avoidable }) => avoidable)
        ? 'use an ImageDigestMirrorSet, or choose a maintenance window'
        : 'choose a maintenance window',
      key: first.what,
    };
  },
};

interface Cause {
  readonly path: string;
  readonly what: string;
  /** The same mirror in an IDMS would be taken up without draining. */
  readonly avoidable: boolean;
}

/** Field paths in a set: of the first entry of each source, and of the first mirror of each source and mirror. */
interface OwnPaths {
  readonly ofSource: ReadonlyMap<string, string>;
  readonly ofMirror: ReadonlyMap<string, string>;
}

function ownPaths(set: MirrorSet): OwnPaths {
  // Later entries first, so that the first one stays.
  const entries = validEntries(set).reverse();
  return {
    ofSource: new Map(entries.map(({ source, path }) => [formatReference(source), path])),
    ofMirror: new Map(
      entries.flatMap(({ source, mirrors }) =>
        mirrors.map(({ reference, path }) => [
          `${formatReference(source)} ${formatReference(reference)}`,
          path,
        ]),
      ),
    ),
  };
}

interface CauseContext {
  readonly pathOfSource: string;
  readonly pathOfMirror: (mirror: Reference) => string | undefined;
  /** A tag mirror of this source could be a digest mirror as well. */
  readonly avoidable: boolean;
}

/** What about one source of registries.conf drains the nodes, when it goes from one record to another. */
function causesOf(
  source: string,
  from: LinuxSource | undefined,
  to: LinuxSource | undefined,
  { pathOfSource: path, pathOfMirror, avoidable }: CauseContext,
): Cause[] {
  if (to === undefined) {
    return from === undefined ? [] : [{ path, what: `removes the source ${source}`, avoidable: false }];
  }
  const added = missingFrom(to.tagMirrors, from?.tagMirrors).map(({ mirror }) => ({
    path: pathOfMirror(mirror) ?? path,
    what: `adds the tag mirror ${formatReference(mirror)}`,
    avoidable,
  }));
  if (from === undefined) return added;

  const removed = missingFrom(mirrorsOf(from), mirrorsOf(to)).map(({ mirror }) => ({
    path,
    what: `removes the mirror ${formatReference(mirror)}`,
    avoidable: false,
  }));
  const blocked = {
    path,
    what: `${to.blocked ? 'blocks' : 'unblocks'} the source ${source}`,
    avoidable: false,
  };
  return [...added, ...removed, ...(from.blocked === to.blocked ? [] : [blocked])];
}

function mirrorsOf(source: LinuxSource): readonly LinuxMirror[] {
  return [...source.digestMirrors, ...source.tagMirrors];
}

function missingFrom(mirrors: readonly LinuxMirror[], others: readonly LinuxMirror[] = []): LinuxMirror[] {
  const known = new Set(others.map((other) => `${other.kind} ${formatReference(other.mirror)}`));
  return mirrors.filter((mirror) => !known.has(`${mirror.kind} ${formatReference(mirror.mirror)}`));
}
