/** The words of the sandbox: what is shown, in which order, and what to try next. */
import type { DesiredState } from '../hosts/desired-state.js';
import { formatReference } from '../mirrors/reference.js';
import { registryName, type RegistryConfig } from '../mirrors/registry-view.js';
import type { Workspace } from './workspace.js';

/** The examples in the order in which they tell the story: what is right first, what goes wrong after it. */
export const exampleOrder = [
  'clean.yaml',
  'pull-through-cache.yaml',
  'never-contact.yaml',
  'release-payload.yaml',
  'pause-image.yaml',
  'ubi9repo.yaml',
  'tag-mirror.yaml',
  'tag-whole-registry.yaml',
] as const;

/** The comment at the head of a manifest, as one line. */
export function headComment(text: string): string {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('#'));
  return lines
    .slice(0, end === -1 ? lines.length : end)
    .map((line) => line.replace(/^#\s?/, ''))
    .join(' ');
}

/** One line per registry: where a Windows node looks, in order. */
export function routes(registries: readonly RegistryConfig[]): string[] {
  const rows = registries.map((config) => {
    const name = registryName(config);
    const mirrors = config.hosts.map(
      ({ location, resolve }) => `${formatReference(location)} (${resolve ? 'resolve, pull' : 'pull'})`,
    );
    const last = config.neverContact ? 'nowhere else' : `${name} itself`;
    return { name, stops: [...mirrors, last] };
  });
  const width = Math.max(0, ...rows.map(({ name }) => name.length));
  return rows.map(({ name, stops }) => `${name.padEnd(width)} ─▶ ${stops.join(' ─▶ ')}`);
}

/** The files of a node as a tree. */
export function fileTree({ files }: DesiredState): string[] {
  const directories = [...files.keys()];
  return directories.map(
    (directory, at) => `${at === directories.length - 1 ? '└─' : '├─'} ${directory}\\hosts.toml`,
  );
}

/** What to try while it runs. */
export function whatNext(workspace: Workspace, url: string, command: string): string {
  const { directory, manifests, examples, policy, certs, nodes } = workspace;
  const [first] = nodes;
  return `Everything is live. Try, in another terminal:
  look at a node     find ${first === undefined ? directory : workspace.registriesOf(first)} -type f
  change a mirror    edit ${manifests}/clean.yaml and save: the nodes follow within a second or two
  add a bad set      cp ${examples}/tag-mirror.yaml ${manifests}/   (it is kept out; then fix it as told)
  break the YAML     the last good version stays in force until it can be read again
  change the policy  edit ${policy}: profile restricted denies every ITMS but the pause image
  take a set away    rm ${manifests}/pull-through-cache.yaml: its directory goes from every node
  follow one image   ${command} explain quay.io/prometheus/node-exporter:v1 -f ${manifests}
  ask over HTTPS     curl --cacert ${certs}/ca.crt --data-binary @${examples}/ubi9repo.yaml ${url}/check`;
}
