import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import { startKubeSite, type KubeSite, type KubeSiteOptions } from './kube-site.js';
import { startMirrorgate, type MirrorgateProcess } from './mirrorgate-process.js';
import { applyOverlay, renderOverlay, type Manifest } from './overlay.js';
import { startServiceProxy, type ServiceProxy } from './service-proxy.js';
import { startSshNodes, type SshNodes, type SshNodesOptions } from './ssh-nodes.js';

export interface InstalledClusterOptions extends KubeSiteOptions {
  readonly overlay?: 'self-signed' | 'self-signed-fail';
  /** Started at once; more can come later. Default 1. */
  readonly replicas?: number;
  readonly nodes?: number | readonly string[];
  /** Command of the SFTP subsystem of every node. */
  readonly sftp?: string;
  /** More arguments for every replica. */
  readonly args?: readonly string[];
  /** Before the replicas start. */
  readonly prepare?: (site: KubeSite) => Promise<void>;
}

/** A cluster with mirrorgate installed from its manifests, and its processes as the Deployment would run them. */
export interface InstalledCluster {
  readonly site: KubeSite;
  readonly service: ServiceProxy;
  readonly nodes: SshNodes;
  readonly replicas: readonly MirrorgateProcess[];
  /** The policy file of every replica: what the ConfigMap holds, for a test to change. */
  readonly policyFile: string;
  /** One more process, behind the Service as soon as it is ready. */
  startReplica(options?: StartReplicaOptions): Promise<MirrorgateProcess>;
  /** The process that holds the Lease. */
  leader(): Promise<MirrorgateProcess>;
  /** Behind the Service no more, and then SIGTERM: the exit code. */
  stopReplica(replica: MirrorgateProcess): Promise<number | null>;
  stop(): Promise<void>;
}

export interface StartReplicaOptions {
  /** A proxy between this replica and the API server, `https://127.0.0.1:PORT`. */
  readonly server?: string;
  readonly args?: readonly string[];
}

/** Where the component own-secrets has mirrorgate look. */
const ownKey: NonNullable<SshNodesOptions['secret']> = {
  namespace: 'mirrorgate',
  name: 'ssh-key',
  key: 'private-key.pem',
};

/**
 * Applies an overlay to a new cluster and starts the replicas with the arguments, the service account and so the rights
 * that the manifests give them. Only addresses differ: a webhook is reached by URL where there is no cluster network.
 */
export async function startInstalledCluster(
  options: InstalledClusterOptions = {},
): Promise<InstalledCluster> {
  const { overlay = 'self-signed', replicas = 1, nodes = [] } = options;
  const site = await startKubeSite(options);
  const service = await startServiceProxy();
  let sshNodes: SshNodes | undefined;
  const running: MirrorgateProcess[] = [];
  const stop = async () => {
    await Promise.all(running.map((replica) => replica.stop()));
    await sshNodes?.stop();
    await service.stop();
    await site.stop();
  };
  try {
    await site.installCrds('mirror-sets', 'images', 'infrastructures');
    await applyOverlay(site, overlay);
    await callByUrl(site, service.port);
    sshNodes = await startSshNodes(site, nodes, {
      secret: ownKey,
      ...(options.sftp !== undefined && { sftp: options.sftp }),
    });
    await options.prepare?.(site);
    const manifests = await renderOverlay(overlay);
    const policyFile = join(site.directory, 'policy.yaml');
    writeFileSync(policyFile, policyOf(manifests));
    const args = [
      ...argumentsOf(manifests).filter((arg) => !/^--(metrics-bind|policy)=/.test(arg)),
      `--policy=${policyFile}`,
      '--drain-time=2',
      ...(options.args ?? []),
    ];
    let count = 0;

    const cluster: InstalledCluster = {
      site,
      service,
      nodes: sshNodes,
      replicas: running,
      policyFile,
      async startReplica({ server, args: more = [] } = {}) {
        count += 1;
        const replica = await startMirrorgate({
          kubeconfig: await site.kubeconfigFor('mirrorgate', server === undefined ? {} : { server }),
          args: [...args, ...more],
          env: { POD_NAME: `mirrorgate-${count}` },
        });
        running.push(replica);
        await untilReady(replica);
        service.add(portOf(replica));
        return replica;
      },
      leader: () =>
        vi.waitFor(async () => {
          const { stdout } = await site.kubectl([
            '-n',
            'mirrorgate',
            'get',
            'lease',
            'mirrorgate',
            '-o=jsonpath={.spec.holderIdentity}',
          ]);
          const holder = running.find((replica) =>
            replica.log().some(({ identity }) => identity !== undefined && identity === stdout),
          );
          if (holder === undefined) throw new Error(`nobody here holds the Lease: "${stdout}"`);
          return holder;
        }, patience),
      async stopReplica(replica) {
        service.remove(portOf(replica));
        return replica.stop();
      },
      stop,
    };
    await Promise.all(Array.from({ length: replicas }, () => cluster.startReplica()));
    return cluster;
  } catch (error) {
    await stop();
    throw error;
  }
}

export function portOf({ url }: MirrorgateProcess): number {
  return Number(new URL(url).port);
}

const patience = { timeout: 60_000, interval: 200 };

async function untilReady(replica: MirrorgateProcess): Promise<void> {
  await vi.waitFor(async () => {
    const answer = await fetch(`${replica.metricsUrl}/readyz`);
    if (answer.status !== 200) throw new Error(`not ready: ${await answer.text()}\n${replica.output()}`);
  }, patience);
}

/** Out of a pod's network the Service has no address: the URL is the one thing that is changed in the configuration. */
async function callByUrl(site: KubeSite, port: number): Promise<void> {
  await site.kubectl([
    'patch',
    'validatingwebhookconfiguration',
    'mirrorgate',
    '--type=json',
    `--patch=${JSON.stringify([
      {
        op: 'replace',
        path: '/webhooks/0/clientConfig',
        value: { url: `https://127.0.0.1:${port}/validate/mirror-sets` },
      },
    ])}`,
  ]);
}

interface Deployment {
  readonly spec: {
    readonly template: { readonly spec: { readonly containers: readonly { args: string[] }[] } };
  };
}

/** What the Deployment gives its container behind `serve`. */
function argumentsOf(manifests: readonly Manifest[]): readonly string[] {
  const deployment = manifests.find(({ kind }) => kind === 'Deployment') as unknown as Deployment;
  const [command, ...args] = deployment.spec.template.spec.containers[0]!.args;
  if (command !== 'serve') throw new Error(`the Deployment runs "${command ?? 'nothing'}"`);
  return args;
}

function policyOf(manifests: readonly Manifest[]): string {
  const map = manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && /policy/.test(metadata.name));
  const data = map?.['data'] as Readonly<Record<string, string>> | undefined;
  const text = data?.['policy.yaml'];
  if (text === undefined) throw new Error('no ConfigMap holds a policy.yaml');
  return text;
}
