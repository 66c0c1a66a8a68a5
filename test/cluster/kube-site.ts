import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import { createKubeClient, type KubeClient } from '../../src/cluster/kube-client.js';
import { loadKubeConfig } from '../../src/cluster/kube-config.js';
import { pathOf, resources, type ApiResource } from '../../src/cluster/kube-object.js';
import { makeScratchFolder } from '../conformance/scratch-folder.js';
import { startEtcd, type EtcdServer } from './etcd-server.js';
import { freePort } from './free-port.js';
import { KubeApiServer } from './kube-apiserver.js';
import { findKubePrograms } from './kube-programs.js';
import { admin, mirrorgate, tokenLine, type KubeUser } from './kube-users.js';
import { writeKubeconfig } from './kubeconfig-file.js';
import { runKubectl, type Kubectl, type KubectlOptions, type KubectlResult } from './kubectl.js';

/** Files of crds/, and the kinds that each defines. */
const crds = {
  'mirror-sets': [resources.imageDigestMirrorSets, resources.imageTagMirrorSets],
  images: [resources.images],
  infrastructures: [resources.infrastructures],
  openreports: [resources.openReports],
  wgpolicy: [resources.policyReports],
} as const satisfies Record<string, readonly ApiResource[]>;

export type CrdFile = keyof typeof crds;

export interface KubeSiteOptions {
  /** Made at the start. By default those of an OpenShift cluster that mirrorgate knows, and its own. */
  readonly namespaces?: readonly string[];
  /** Whom the API server knows besides the administrator and mirrorgate's service account. */
  readonly users?: readonly KubeUser[];
  /**
   * Default true. Without it watches are answered out of etcd: then a compaction is felt at once, but there are no
   * bookmarks.
   */
  readonly watchCache?: boolean;
  /** More flags of kube-apiserver. */
  readonly apiServerFlags?: readonly string[];
}

/**
 * A cluster for tests: a real etcd and a real kube-apiserver, and nothing else. No controllers run, so nothing is
 * garbage collected, a deleted namespace stays `Terminating`, and Nodes and Pods are what the test makes of them.
 */
export interface KubeSite {
  /** `https://127.0.0.1:PORT`. */
  readonly server: string;
  readonly apiPort: number;
  /** PEM file of the certificate authority behind `server`. */
  readonly caFile: string;
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** A folder of the site's own, gone when it is stopped. */
  readonly directory: string;
  /**
   * Writes a kubeconfig for somebody that the API server knows, and returns its path.
   *
   * @param user `mirrorgate` is short for its service account
   * @param options `server`: a proxy to go through, `https://127.0.0.1:PORT`; it has to pass TLS on as it is
   */
  kubeconfigFor(user: string, options?: { readonly server?: string }): Promise<string>;
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<KubectlResult>;
  /** mirrorgate's own client; by default the administrator's. */
  client(kubeconfig?: string): Promise<KubeClient>;
  /** Resolves when the kinds are served. Those that are there already stay. */
  installCrds(...which: readonly CrdFile[]): Promise<void>;
  /** Those that are there already stay. */
  createNamespaces(...names: readonly string[]): Promise<void>;
  stopApiServer(): Promise<void>;
  killApiServer(): Promise<void>;
  /** After a stop: same port, certificate and data. Resolves when it is ready. */
  startApiServer(): Promise<void>;
  /** SIGSTOP: connections stay open, and nothing is answered any more. */
  freezeApiServer(): void;
  thawApiServer(): void;
  /**
   * Has etcd forget every `resourceVersion` that was handed out so far. A watch from one of them is answered with 410 as
   * soon as the API server has to ask etcd: at once without `watchCache`, otherwise after a restart.
   */
  compactEtcd(): Promise<void>;
  /** May be called at any time, and twice. */
  stop(): Promise<void>;
}

export const defaultNamespaces = [
  'mirrorgate',
  'openshift-config',
  'openshift-windows-machine-config-operator',
] as const;

const attempts = 5;
const patience = { timeout: 60_000, interval: 50 };
const namespaces: ApiResource = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces' };

/**
 * Starts a cluster; several may run at the same time.
 *
 * @throws Error that names a missing program, or shows the end of the log of one that does not start
 */
export async function startKubeSite(options: KubeSiteOptions = {}): Promise<KubeSite> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await RunningKubeSite.start(options);
    } catch (error) {
      // Somebody else may have taken a port meanwhile.
      if (attempt === attempts || !/address already in use/.test(String(error))) throw error;
    }
  }
}

class RunningKubeSite implements KubeSite {
  readonly kubeconfig: string;
  readonly #removeWithProcess = (): void => {
    rmSync(this.directory, { recursive: true, force: true });
  };
  readonly #tokens: ReadonlyMap<string, string>;
  readonly #etcd: EtcdServer;
  readonly #apiServer: KubeApiServer;
  readonly #kubectl: Kubectl;
  #written = 0;

  private constructor(
    readonly directory: string,
    kubectlProgram: string,
    users: readonly KubeUser[],
    etcd: EtcdServer,
    makeApiServer: (tokenFile: string, adminToken: string) => KubeApiServer,
  ) {
    const tokens = users.map((user) => [user, randomBytes(16).toString('hex')] as const);
    this.#tokens = new Map(tokens.map(([{ name }, token]) => [name, token]));
    const tokenFile = join(directory, 'tokens.csv');
    writeFileSync(tokenFile, tokens.map(([user, token]) => tokenLine(user, token)).join(''));
    this.#etcd = etcd;
    this.#apiServer = makeApiServer(tokenFile, this.#tokenOf(admin.name));
    this.kubeconfig = join(directory, 'kubeconfig');
    const home = join(directory, 'home');
    mkdirSync(home);
    this.#kubectl = { program: kubectlProgram, home, kubeconfig: this.kubeconfig };
    process.once('exit', this.#removeWithProcess);
  }

  static async start({
    namespaces: names = defaultNamespaces,
    users = [],
    watchCache = true,
    apiServerFlags = [],
  }: KubeSiteOptions): Promise<KubeSite> {
    const programs = findKubePrograms();
    const directory = await makeScratchFolder();
    let etcd: EtcdServer | undefined;
    let site: RunningKubeSite | undefined;
    try {
      const port = await freePort();
      etcd = await startEtcd(programs.etcd, directory);
      const { url } = etcd;
      site = new RunningKubeSite(
        directory,
        programs.kubectl,
        [admin, mirrorgate, ...users],
        etcd,
        (tokenFile, token) =>
          new KubeApiServer({
            program: programs.kubeApiserver,
            directory,
            etcd: url,
            port,
            tokenFile,
            token,
            flags: [`--watch-cache=${String(watchCache)}`, ...apiServerFlags],
          }),
      );
      await site.#writeKubeconfig(site.kubeconfig, admin.name, site.server);
      await site.startApiServer();
      // Events of Nodes go into the first; the API server makes both, some time after it is ready.
      await site.#whenThere('default', 'kube-system');
      await site.createNamespaces(...names);
      return site;
    } catch (error) {
      if (site === undefined) {
        await etcd?.stop();
        rmSync(directory, { recursive: true });
      } else await site.stop();
      throw error;
    }
  }

  get server(): string {
    return this.#apiServer.url;
  }

  get apiPort(): number {
    return this.#apiServer.port;
  }

  get caFile(): string {
    return this.#apiServer.caFile;
  }

  async kubeconfigFor(
    user: string,
    { server = this.server }: { readonly server?: string } = {},
  ): Promise<string> {
    this.#written += 1;
    const path = join(this.directory, `kubeconfig-${this.#written}`);
    await this.#writeKubeconfig(path, user === 'mirrorgate' ? mirrorgate.name : user, server);
    return path;
  }

  kubectl(args: readonly string[], options?: KubectlOptions): Promise<KubectlResult> {
    return runKubectl(this.#kubectl, args, options);
  }

  async client(kubeconfig = this.kubeconfig): Promise<KubeClient> {
    return createKubeClient(await loadKubeConfig({ kubeconfig }));
  }

  async installCrds(...which: readonly CrdFile[]): Promise<void> {
    const files = which.map((name) => join(import.meta.dirname, 'crds', `${name}.yaml`));
    await this.kubectl(['apply', ...files.flatMap((file) => ['-f', file])]);
    const kinds: readonly ApiResource[] = which.flatMap((name) => [...crds[name]]);
    const names = kinds.map(({ plural, apiVersion }) => `${plural}.${apiVersion.split('/')[0] ?? ''}`);
    await this.kubectl(['wait', '--for=condition=Established', '--timeout=60s', 'crd', ...names]);
    // The handlers may come a moment later than the condition.
    const client = await this.client();
    for (const kind of kinds) await vi.waitFor(() => client.list(kind), patience);
    // A kubectl of old takes a short name that its cache does not hold for a mistake.
    rmSync(join(this.#kubectl.home, '.kube', 'cache'), { recursive: true, force: true });
  }

  async createNamespaces(...names: readonly string[]): Promise<void> {
    const client = await this.client();
    for (const name of names) {
      const there = await client.get(namespaces, { name });
      if (there === undefined)
        await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    }
  }

  stopApiServer(): Promise<void> {
    return this.#apiServer.stop();
  }

  killApiServer(): Promise<void> {
    return this.#apiServer.kill();
  }

  startApiServer(): Promise<void> {
    return this.#apiServer.start();
  }

  freezeApiServer(): void {
    this.#apiServer.freeze();
  }

  thawApiServer(): void {
    this.#apiServer.thaw();
  }

  compactEtcd(): Promise<void> {
    return this.#etcd.compact();
  }

  async stop(): Promise<void> {
    // Nothing that it knows is needed any more.
    await this.#apiServer.kill();
    await this.#etcd.stop();
    process.off('exit', this.#removeWithProcess);
    this.#removeWithProcess();
  }

  async #whenThere(...names: readonly string[]): Promise<void> {
    const client = await this.client();
    for (const name of names) {
      await vi.waitFor(async () => {
        if ((await client.get(namespaces, { name })) === undefined)
          throw new Error(`${pathOf(namespaces, { name })} is not there yet`);
      }, patience);
    }
  }

  #tokenOf(user: string): string {
    const token = this.#tokens.get(user);
    if (token === undefined)
      throw new Error(`nobody is called "${user}"; known: ${[...this.#tokens.keys()].join(', ')}`);
    return token;
  }

  async #writeKubeconfig(path: string, user: string, server: string): Promise<void> {
    await writeKubeconfig(path, { server, caFile: this.caFile, user, token: this.#tokenOf(user) });
  }
}
