import { formatTagAndDigest, parseImage, type ImageReference } from '../mirrors/image-reference.js';
import { indexMirrorSets } from '../mirrors/mirror-set-index.js';
import { comparePlans, type PlanDifference } from '../mirrors/plan-difference.js';
import {
  linuxPullPlan,
  windowsPullPlan,
  type Endpoint,
  type EndpointOrigin,
  type PullPlan,
} from '../mirrors/pull-plan.js';
import { formatReference, registryOf } from '../mirrors/reference.js';
import { CliError, exitCodes } from './cli-error.js';
import { painter, type Io, type Paint } from './io.js';
import { loadPolicy, type PolicyFlags } from './load-policy.js';
import { readInputs, reportInputs, type Input } from './read-inputs.js';

export interface ExplainFlags extends PolicyFlags {
  /** Files, directories or globs of mirror sets. */
  readonly file: readonly string[];
}

/** `mirrorgate explain IMAGE -f FILE…`: where Windows and Linux nodes look for an image, side by side. */
export async function explain(io: Io, name: string, flags: ExplainFlags): Promise<number> {
  const parsed = parseImage(name);
  if (!parsed.ok) throw new CliError(`image "${name}" ${parsed.fault}`);
  const policy = await loadPolicy(flags);
  const inputs = await readInputs(io, flags.file);
  const unreadable = reportInputs(io, inputs);

  const index = indexMirrorSets(inputs.flatMap(({ parsed: { sets } }) => sets.map(({ set }) => set)));
  const windows = windowsPullPlan(index, parsed.image, policy.view);
  const linux = linuxPullPlan(index, parsed.image);
  io.stdout.write(explanation(parsed.image, windows, linux, inputs, painter(io, io.stdout)));
  return unreadable ? exitCodes.usage : exitCodes.ok;
}

function explanation(
  image: ImageReference,
  windows: PullPlan,
  linux: PullPlan,
  inputs: readonly Input[],
  paint: Paint,
): string {
  const title = `${formatReference(image.repository)}${formatTagAndDigest(image)}, by ${image.digest === undefined ? 'tag' : 'digest'}`;
  const left = windows.endpoints.map(
    (endpoint) => [formatReference(endpoint.repository), windowsRole(endpoint)] as const,
  );
  const right = linux.endpoints.map(
    (endpoint) => [formatReference(endpoint.repository), linuxRole(endpoint)] as const,
  );
  if (left.length === 0) left.push(['nowhere', 'the source is forbidden']);
  if (right.length === 0) right.push(['nowhere', 'the source is blocked']);

  const widths = [
    Math.max(...left.map(([place]) => place.length)),
    Math.max(...left.map(([, role]) => role.length)),
    Math.max(...right.map(([place]) => place.length)),
  ] as const;
  const rows = Array.from({ length: Math.max(left.length, right.length) }, (_, at) => {
    const [place = '', role = ''] = left[at] ?? [];
    const [otherPlace = '', otherRole = ''] = right[at] ?? [];
    return (
      `${String(at + 1).padStart(2)}  ${place.padEnd(widths[0])}   ${role.padEnd(widths[1])}      ` +
      `${otherPlace.padEnd(widths[2])}   ${otherRole}`
    ).trimEnd();
  });
  const heading = `    ${'Windows (containerd)'.padEnd(widths[0] + 3 + widths[1])}      Linux (CRI-O)`;

  const differences = comparePlans(windows, linux);
  return [
    paint('bold', title),
    paint('bold', heading),
    ...rows,
    ...origins('Windows', windows, inputs),
    ...origins('Linux', linux, inputs),
    ...(differences.length === 0
      ? [' Windows and Linux nodes look in the same places.']
      : differences.map(
          (difference) => ` ${paint('yellow', 'They differ:')} ${differenceAsText(difference)}.`,
        )),
    ...(windows.sourceBlocked
      ? [` ${registryOf(image.repository)} is never contacted from Windows nodes.`]
      : []),
    '',
  ].join('\n');
}

function windowsRole({ role, resolve }: Endpoint): string {
  if (role === 'source') return 'source';
  const capabilities = resolve ? 'resolve, pull' : 'pull';
  return role === 'fallback' ? `${capabilities} (once more)` : capabilities;
}

function linuxRole({ role, origins: [origin] }: Endpoint): string {
  if (role === 'source') return 'source';
  return origin?.kind === 'ImageTagMirrorSet' ? 'tag-only mirror' : 'digest-only mirror';
}

/** A line per mirror: which set put it there, and where that stands in the manifests. */
function origins(os: string, plan: PullPlan, inputs: readonly Input[]): string[] {
  return plan.endpoints.flatMap(({ role, origins: from }, at) =>
    role === 'fallback'
      ? []
      : from.map((origin) => ` ${os} ${at + 1} comes from ${originAsText(origin)}${whereIs(origin, inputs)}`),
  );
}

function whereIs({ kind, name, path }: EndpointOrigin, inputs: readonly Input[]): string {
  for (const { parsed } of inputs) {
    const manifest = parsed.sets.find(({ set }) => set.kind === kind && set.name === name);
    if (manifest === undefined) continue;
    const { file, line } = manifest.locate(path);
    return ` (${file}:${line})`;
  }
  return '';
}

function originAsText({ kind, name, path }: EndpointOrigin): string {
  return `${kind} ${name}, ${path}`;
}

function differenceAsText({ message, rule, origin }: PlanDifference): string {
  const because = [
    ...(rule === undefined ? [] : [rule]),
    ...(origin === undefined ? [] : [originAsText(origin)]),
  ];
  return because.length === 0 ? message : `${message} (${because.join(', ')})`;
}
