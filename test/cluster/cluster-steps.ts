/** What is done to a cluster with mirrorgate in it, and looked at, again and again. */
import type { InstalledCluster } from './installed-cluster.js';
import type { KubeSite } from './kube-site.js';
import type { KubectlResult } from './kubectl.js';
import type { LogLine } from './mirrorgate-process.js';
import type { SshNode } from './ssh-nodes.js';

/** For a machine that does much else. */
export const patience = { timeout: 90_000, interval: 200 };

export interface ShownCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** An IDMS that mirrors each source at the mirror beside it, as JSON. */
export function digestSet(name: string, mirrors: Readonly<Record<string, string>>): string {
  return JSON.stringify({
    apiVersion: 'config.openshift.io/v1',
    kind: 'ImageDigestMirrorSet',
    metadata: { name },
    spec: {
      imageDigestMirrors: Object.entries(mirrors).map(([source, mirror]) => ({ source, mirrors: [mirror] })),
    },
  });
}

export function apply(site: KubeSite, manifest: string): Promise<KubectlResult> {
  return site.kubectl(['apply', '-f', '-'], { input: manifest });
}

/** What README tells people to run after a change. */
export function waitForNodes({ site }: InstalledCluster): Promise<KubectlResult> {
  return site.kubectl([
    'wait',
    '--for=condition=MirrorConfigSynced',
    'node',
    '-l',
    'kubernetes.io/os=windows',
    '--timeout=120s',
  ]);
}

/** The registries that a node has mirrors of, sorted. */
export async function registriesAt(node: SshNode): Promise<readonly string[]> {
  const files = await node.files();
  return [...files.keys()]
    .flatMap((path) => (path.endsWith('/hosts.toml') ? [path.slice(0, -'/hosts.toml'.length)] : []))
    .sort();
}

/** Where mirrorgate says that a node stands. */
export async function conditionAt(site: KubeSite, node: string): Promise<ShownCondition | undefined> {
  const { stdout } = await site.kubectl(['get', 'node', node, '-o', 'json']);
  const { status } = JSON.parse(stdout) as {
    status: { conditions?: readonly ShownCondition[] };
  };
  return status.conditions?.find(({ type }) => type === 'MirrorConfigSynced');
}

const warn = 40;

/** A line that tells of a fault. */
export function fault(text: RegExp): (line: LogLine) => boolean {
  return ({ level, msg }) => level >= warn && text.test(msg);
}

/** A line that tells that all is well. */
export function news(text: RegExp): (line: LogLine) => boolean {
  return ({ level, msg }) => level < warn && text.test(msg);
}
