/** Everything that a pull needs, started once: every containerd version, the registries, and the front before them. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostsFileName } from '../../src/hosts/desired-state.js';
import { parsePullSecret } from '../../src/hosts/pull-secret.js';
import { renderHosts } from '../../src/hosts/render.js';
import { formatTagAndDigest } from '../../src/mirrors/image-reference.js';
import { parseInsecureRegistries } from '../../src/mirrors/insecure-registries.js';
import { pathOf, formatReference } from '../../src/mirrors/reference.js';
import { mergeRegistries } from '../../src/mirrors/registry-view.js';
import { Containerd } from './containerd.js';
import type { ContainerdPrograms } from './containerd-versions.js';
import { DockerRegistry } from './docker-registry.js';
import { addressOf, listenerOf, type Holding, type PullCase } from './pull-case.js';
import { makeScratchFolder } from './scratch-folder.js';
import { RegistryFront, type Seen } from './registry-front.js';

export interface ObservedPull {
  readonly succeeded: boolean;
  readonly seen: readonly Seen[];
  /** What the puller wrote. */
  readonly output: string;
}

const registryCount = 3;

export class PullSite {
  readonly scratch: string;
  readonly registries: readonly DockerRegistry[];
  readonly #front: RegistryFront;
  readonly #trustedCa: string;
  readonly #containerds: readonly Containerd[];
  readonly #prepared = new Map<PullCase, Promise<string>>();
  #pulls = 0;

  private constructor(
    scratch: string,
    registries: readonly DockerRegistry[],
    front: RegistryFront,
    trustedCa: string,
    containerds: readonly Containerd[],
  ) {
    this.scratch = scratch;
    this.registries = registries;
    this.#front = front;
    this.#trustedCa = trustedCa;
    this.#containerds = containerds;
  }

  static async start(versions: readonly ContainerdPrograms[]): Promise<PullSite> {
    const scratch = await makeScratchFolder();
    const started: { stop(): Promise<void> }[] = [];
    const keep = <Server extends { stop(): Promise<void> }>(server: Server): Server => {
      started.push(server);
      return server;
    };
    try {
      const registries: DockerRegistry[] = [];
      for (let index = 0; index < registryCount; index += 1) {
        registries.push(keep(await DockerRegistry.start({ scratch, name: `registry-${index}` })));
      }
      const front = keep(await RegistryFront.start(registries));
      const trustedCa = join(scratch, 'trusted-ca.pem');
      await writeFile(trustedCa, front.trustedCa);
      const containerds: Containerd[] = [];
      for (const programs of versions) containerds.push(keep(await Containerd.start(programs, scratch)));
      return new PullSite(scratch, registries, front, trustedCa, containerds);
    } catch (error) {
      for (const server of started.reverse()) await server.stop();
      await rm(scratch, { recursive: true, force: true });
      throw error;
    }
  }

  /** Pulls the image of a case with one version of containerd, through the files that its mirror sets are rendered to. */
  async pull(pullCase: PullCase, { series }: Pick<ContainerdPrograms, 'series'>): Promise<ObservedPull> {
    const hostsDirectory = await this.#prepare(pullCase);
    const id = `pull-${(this.#pulls += 1)}`;
    const proxy = this.#front.open(id, { listener: (host, port) => listenerOf(pullCase, host, port) });
    const { image } = pullCase;
    const { succeeded, output } = await this.containerd(series).fetch(
      formatReference(image.repository) + formatTagAndDigest(image),
      { hostsDirectory, proxy, trustedCa: this.#trustedCa },
    );
    return { succeeded, output, seen: await this.#front.close(id) };
  }

  /** For each docker-registry, in no order: what the front handed on to it, and what its own access log says. */
  async accessLogs(): Promise<{ readonly forwarded: string[]; readonly logged: string[] }[]> {
    return Promise.all(
      this.registries.map(async (registry) => ({
        forwarded: this.#front.forwardedTo(registry).sort(),
        logged: (await registry.accessLog()).sort(),
      })),
    );
  }

  containerd(series: string): Containerd {
    const found = this.#containerds.find(({ programs }) => programs.series === series);
    if (found === undefined) throw new Error(`no containerd ${series} was started`);
    return found;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#containerds, ...this.registries, this.#front].map((server) => server.stop()));
    await rm(this.scratch, { recursive: true, force: true });
  }

  /** Fills the registries and writes the rendered files, once for all versions. */
  #prepare(pullCase: PullCase): Promise<string> {
    const prepared =
      this.#prepared.get(pullCase) ?? this.#fillAndRender(pullCase, `hosts-${this.#prepared.size}`);
    this.#prepared.set(pullCase, prepared);
    return prepared;
  }

  async #fillAndRender(pullCase: PullCase, folder: string): Promise<string> {
    await Promise.all(pullCase.holdings.map((holding) => this.#push(holding)));
    const directory = join(this.scratch, folder);
    await mkdir(directory);
    for (const [registry, content] of renderedFiles(pullCase)) {
      await mkdir(join(directory, registry));
      await writeFile(join(directory, registry, hostsFileName), content);
    }
    return directory;
  }

  async #push({ repository, image, tag }: Holding): Promise<void> {
    const { host, port } = addressOf(repository);
    const { backend, namespace } = this.#front.placeOf(host, port);
    const registry = this.registries.find((candidate) => candidate.port === backend.port);
    await registry?.push(`${namespace}/${pathOf(repository)}`, image, tag);
  }
}

/** What production would send to every Windows node. */
export function renderedFiles(pullCase: PullCase): ReadonlyMap<string, string> {
  const auths = Object.fromEntries(
    Object.entries(pullCase.auths).map(([key, credential]) => [
      key,
      { auth: Buffer.from(credential).toString('base64') },
    ]),
  );
  const { desired } = renderHosts(mergeRegistries(pullCase.sets, pullCase.view), {
    credentials: parsePullSecret(JSON.stringify({ auths })),
    insecure: parseInsecureRegistries(pullCase.insecureRegistries).registries,
  });
  return desired.files;
}
