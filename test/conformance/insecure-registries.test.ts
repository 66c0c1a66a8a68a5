/**
 * Insecure registries, as they are: docker-registry instances on loopback addresses, which no proxy setting applies to,
 * with and without TLS, and their own access logs. `http://` with `skip_verify` means plain HTTP to containerd 1.6, and
 * unverified TLS, then plain HTTP, to later ones.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostsFileName } from '../../src/hosts/desired-state.js';
import { createSelfSigned } from '../../src/serving/self-signed.js';
import { itms, reference } from '../unit/mirror-sets.js';
import { findContainerdVersions } from './containerd-versions.js';
import { Containerd } from './containerd.js';
import { DockerRegistry, freePort } from './docker-registry.js';
import { behaviourOf, type ContainerdBehaviour } from './predict-pull.js';
import { renderedFiles } from './pull-site.js';
import { makeScratchFolder } from './scratch-folder.js';
import { tinyImage, type TinyImage } from './tiny-image.js';

type RegistryName = 'plain' | 'tls' | 'portless' | 'source';
type Place = RegistryName | 'dead';

/** What a registry's access log says of a pull. */
type Part =
  /** Resolved the tag, and served the manifest and the config. */
  | 'serves'
  /** Was asked for the same three, and has none. */
  | 'is asked for all'
  /** Was asked to resolve the tag, and could not. */
  | 'is asked for the tag'
  /** Was never understood, or never contacted. */
  | 'is not asked';

interface Scenario {
  readonly name: string;
  readonly source: RegistryName;
  readonly mirror: Place;
  readonly insecure: readonly Place[];
  readonly heldBy: readonly RegistryName[];
  readonly parts: Readonly<
    Record<ContainerdBehaviour['insecure'], Partial<Readonly<Record<RegistryName, Part>>>>
  >;
}

const scenarios: readonly Scenario[] = [
  {
    name: 'TLS that is not trusted, on a port',
    source: 'source',
    mirror: 'tls',
    insecure: ['tls', 'source'],
    heldBy: ['tls', 'source'],
    parts: {
      'plain-http': { tls: 'is not asked', source: 'serves' },
      'any-tls-then-http': { tls: 'serves', source: 'is not asked' },
    },
  },
  {
    name: 'plain HTTP, on a port',
    source: 'source',
    mirror: 'plain',
    insecure: ['plain', 'source'],
    heldBy: ['plain', 'source'],
    parts: {
      'plain-http': { plain: 'serves', source: 'is not asked' },
      'any-tls-then-http': { plain: 'serves', source: 'is not asked' },
    },
  },
  {
    name: 'plain HTTP on port 80, where nothing listens for TLS',
    source: 'source',
    mirror: 'portless',
    insecure: ['portless', 'source'],
    heldBy: ['portless', 'source'],
    parts: {
      'plain-http': { portless: 'serves', source: 'is not asked' },
      'any-tls-then-http': { portless: 'serves', source: 'is not asked' },
    },
  },
  {
    name: 'TLS that is not trusted, and that nobody listed',
    source: 'source',
    mirror: 'tls',
    insecure: ['source'],
    heldBy: ['tls', 'source'],
    parts: {
      'plain-http': { tls: 'is not asked', source: 'serves' },
      'any-tls-then-http': { tls: 'is not asked', source: 'serves' },
    },
  },
  {
    name: 'plain HTTP that nobody listed',
    source: 'source',
    mirror: 'plain',
    insecure: ['source'],
    heldBy: ['plain', 'source'],
    parts: {
      'plain-http': { plain: 'is not asked', source: 'serves' },
      'any-tls-then-http': { plain: 'is not asked', source: 'serves' },
    },
  },
  {
    name: 'a mirror that refuses connections',
    source: 'source',
    mirror: 'dead',
    insecure: ['dead', 'source'],
    heldBy: ['source'],
    parts: { 'plain-http': { source: 'serves' }, 'any-tls-then-http': { source: 'serves' } },
  },
  {
    name: 'a source in TLS that is not trusted',
    source: 'tls',
    mirror: 'plain',
    insecure: ['plain', 'tls'],
    heldBy: ['tls'],
    parts: {
      'plain-http': { plain: 'is asked for the tag', tls: 'is not asked' },
      'any-tls-then-http': { plain: 'is asked for all', tls: 'serves' },
    },
  },
];

const versions = await findContainerdVersions();
const tag = 'insecure';

let scratch: string;
let registries: Readonly<Record<RegistryName, DockerRegistry>>;
let deadPort: number;
const containerds = new Map<string, Containerd>();
const started: { stop(): Promise<void> }[] = [];

beforeAll(async () => {
  scratch = await makeScratchFolder();
  const { cert, key, caCert } = await createSelfSigned({ now: new Date(), hosts: ['127.0.0.1'] });
  const tls = { certificate: join(scratch, 'cert.pem'), key: join(scratch, 'key.pem') };
  await writeFile(tls.certificate, cert + caCert);
  await writeFile(tls.key, key, { mode: 0o600 });
  const start = async (name: string, more: Partial<Parameters<typeof DockerRegistry.start>[0]> = {}) => {
    const registry = await DockerRegistry.start({ scratch, name, ...more });
    started.push(registry);
    return registry;
  };
  registries = {
    plain: await start('plain'),
    tls: await start('tls', { tls }),
    // An address of the loopback network that nobody else has a use for, since the port is given.
    portless: await start('portless', { address: { host: '127.77.0.80', port: 80 } }),
    source: await start('source'),
  };
  deadPort = await freePort();
  for (const programs of versions.found) {
    const containerd = await Containerd.start(programs, scratch);
    started.push(containerd);
    containerds.set(programs.series, containerd);
  }
});

afterAll(async () => {
  await Promise.all(started.map((server) => server.stop()));
  await rm(scratch, { recursive: true, force: true });
});

/** `host[:port]` as an image name or a mirror set has it. */
function nameOf(place: Place): string {
  if (place === 'dead') return `127.0.0.1:${deadPort}`;
  const { host, port } = registries[place];
  return port === 80 ? host : `${host}:${port}`;
}

/** The lines of an access log, in order: an image of no layers is read one thing after another. */
function linesOf(part: Part, repository: string, image: TinyImage, query: string): string[] {
  const line = (method: string, what: string, status: number) =>
    `${method} /v2/${repository}/${what}${query} ${status}`;
  const status = part === 'serves' ? 200 : 404;
  const resolution = line('HEAD', `manifests/${tag}`, status);
  switch (part) {
    case 'is not asked':
      return [];
    case 'is asked for the tag':
      return [resolution];
    case 'serves':
    case 'is asked for all':
      return [
        resolution,
        line('GET', `manifests/${image.root.digest}`, status),
        ...image.blobs.map(({ digest }) => line('GET', `blobs/${digest}`, status)),
      ];
  }
}

describe.each(versions.found)('containerd $version', ({ series }) => {
  const { insecure: meaning } = behaviourOf(series);

  it.each(scenarios.map((scenario, index) => [scenario.name, scenario, index] as const))(
    '%s',
    async (name, { source, mirror, insecure, heldBy, parts }, index) => {
      const repository = `team/app-${series.replace('.', '-')}-${index}`;
      const image = tinyImage(`${name} ${series}`, { layers: 0, index: false });
      for (const holder of heldBy) await registries[holder].push(pathAt(holder), image, tag);

      const hostsDirectory = join(scratch, `hosts-${series}-${index}`);
      const files = renderedFiles({
        name,
        sets: [itms('mirror', [[nameOf(source), [`${nameOf(mirror)}/copies`]]])],
        image: { repository: reference(`${nameOf(source)}/${repository}`), tag, digest: undefined },
        view: { naming: 'shorten', linuxOnlySources: [] },
        auths: {},
        insecureRegistries: insecure.map(nameOf),
        holdings: [],
        listeners: {},
      });
      for (const [directory, content] of files) {
        await mkdir(join(hostsDirectory, directory), { recursive: true });
        await writeFile(join(hostsDirectory, directory, hostsFileName), content);
      }

      const pulled = await containerds.get(series)?.fetch(`${nameOf(source)}/${repository}:${tag}`, {
        hostsDirectory,
        // Loopback addresses are never proxied; anything else would end here.
        proxy: `http://127.0.0.1:${deadPort}`,
        trustedCa: join(scratch, 'nobody.pem'),
      });
      const expected = parts[meaning];
      expect(pulled?.succeeded, pulled?.output).toBe(Object.values(expected).includes('serves'));
      for (const [registry, part] of Object.entries(expected) as [RegistryName, Part][]) {
        const query = registry === source ? '' : `?ns=${encodeURIComponent(nameOf(source))}`;
        // A registry writes its log a little after the puller has the answer.
        await expect
          .poll(() => registries[registry].accessLog(`${pathAt(registry)}/`))
          .toEqual(linesOf(part, pathAt(registry), image, query));
      }

      function pathAt(registry: RegistryName): string {
        return registry === source ? repository : `copies/${repository}`;
      }
    },
  );
});
