import {
  type Stats,
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { statfs } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { extname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { resources } from '../../src/cluster/kube-object.js';
import { buildImage, defaultArgs, type BuiltImage } from './build-image.js';
import { Buildah } from './buildah.js';
import { startKubeSite } from './kube-site.js';
import { ofKind, theOnly, type Deployment } from './manifest-kinds.js';
import { applyOverlay, renderOverlay } from './overlay.js';
import { runContainer, type Container, type ContainerOptions } from './run-container.js';

const root = join(import.meta.dirname, '../..');
const home = 'opt/mirrorgate';
/** A user that no file belongs to, as OpenShift picks one for each namespace. */
const openshiftUser = 1_000_650_000;
/** Every layer is a whole copy. */
const neededBytes = 3 * 1024 ** 3;

let folder: string;
let buildah: Buildah | undefined;
let image: BuiltImage;
/** Below the image's root: path and what is there. */
let files: ReadonlyMap<string, Stats>;
const revision = 'f'.repeat(40);

beforeAll(async () => {
  const isRoomy = await statfs('/dev/shm').then(
    ({ bavail, bsize }) => bavail * bsize > neededBytes,
    () => false,
  );
  folder = mkdtempSync(join(isRoomy ? '/dev/shm' : tmpdir(), 'mirrorgate-image-'));
  buildah = new Buildah(join(folder, 'storage'));
  image = await buildImage(buildah, join(folder, 'build'), { REVISION: revision });
  files = new Map(
    readdirSync(image.rootfs, { recursive: true, encoding: 'utf8' }).map((path) => [
      path,
      lstatSync(join(image.rootfs, path)),
    ]),
  );
}, 600_000);

afterAll(() => {
  buildah?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** What mirrorgate brings: the rest is the base image. */
function ownFiles(): string[] {
  return [...files.keys()].filter((path) => path.startsWith(`${home}/`));
}

describe('what the image says of itself', () => {
  test('the user is a number that is not root, and the entry point needs no shell', () => {
    expect(image.config.User).toBe('1001');
    expect(image.config.Entrypoint).toEqual(['node', `/${home}/dist/cli/main.js`]);
    expect(image.config.Cmd ?? []).toEqual([]);
    expect(image.config.WorkingDir).toBe(`/${home}`);
    expect(image.config.Env).toContain('NODE_ENV=production');
    expect(Object.keys(image.config.ExposedPorts).sort()).toEqual(['8080/tcp', '8443/tcp']);
  });

  test('the labels name mirrorgate, its version and revision, and never the base image as itself', () => {
    const { version, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      readonly version: string;
      readonly license: string;
    };
    const labels = image.config.Labels;
    expect(labels).toMatchObject({
      'org.opencontainers.image.title': 'mirrorgate',
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.revision': revision,
      'org.opencontainers.image.licenses': license,
      'org.opencontainers.image.base.name': defaultArgs()['RUNTIME_IMAGE'],
      name: 'mirrorgate',
      version,
    });
    expect(labels['org.opencontainers.image.description']).toMatch(/mirror sets/);
    for (const [name, value] of Object.entries(labels)) expect(value, name).not.toMatch(/^base|Base/);
  });

  test('the manifests ask for the version that it is', async () => {
    const { spec } = theOnly(ofKind<Deployment>(await renderOverlay('openshift'), 'Deployment'));
    expect(theOnly(spec.template.spec.containers).image).toBe(
      `mirrorgate:${image.config.Labels['org.opencontainers.image.version'] ?? ''}`,
    );
  });
});

describe('what the image holds', () => {
  test('beside the base image nothing but the program, its dependencies and the examples', () => {
    const own = new Set(ownFiles().map((path) => relative(home, path).split('/')[0]));
    expect([...own].sort()).toEqual(['LICENSE', 'dist', 'manifests', 'node_modules', 'package.json']);
    const base = [...files.keys()].filter((path) => path !== home && !path.startsWith(`${home}/`));
    expect(
      base.filter((path) => /mirrorgate|npmrc|npm-cache|_cacache|certificate-authority/.test(path)),
    ).toEqual([]);
  });

  test('exactly the production dependencies of the lock file', () => {
    const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
      readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly optional?: boolean }>>;
    };
    const expected = Object.entries(lock.packages)
      .filter(([path, { dev, optional }]) => path !== '' && dev !== true && optional !== true)
      .map(([path]) => path);
    const found = ownFiles()
      .map((path) => relative(home, path))
      // Folders of packages, not the package.json files that packages keep for their parts.
      .flatMap(
        (path) => /^((?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/@.]+[^/]*)\/package\.json$/.exec(path)?.[1] ?? [],
      );
    expect(found.sort()).toEqual(expected.sort());
    for (const name of ['typescript', 'vitest', 'eslint', 'prettier', 'supertest', 'fast-check'])
      expect([...files.keys()].filter((path) => path.includes(`node_modules/${name}/`))).toEqual([]);
  });

  test('no private key, certificate, token or configuration of whoever built it', () => {
    const names = /(^|\/)(certs|\.git|\.env|\.npmrc|\.netrc|\.ssh|\.docker|id_[a-z0-9]+|known_hosts)(\/|$)/;
    const kinds = new Set(['.key', '.pem', '.crt', '.cer', '.p12', '.pfx', '.jks', '.ppk']);
    const block = /-----BEGIN ([A-Z ]*PRIVATE KEY|CERTIFICATE)-----\s*[A-Za-z0-9+/=]{16}/;
    const plain = ownFiles().filter((path) => files.get(path)?.isFile() === true);
    expect(plain.length).toBeGreaterThan(500);
    expect(plain.filter((path) => names.test(path) || kinds.has(extname(path)))).toEqual([]);
    expect(plain.filter((path) => block.test(readFileSync(join(image.rootfs, path), 'utf8')))).toEqual([]);
  });

  test('files that anybody may read and nobody but root may write', () => {
    for (const path of ownFiles()) {
      const stats = files.get(path);
      if (stats === undefined || stats.isSymbolicLink()) continue;
      const wanted = stats.isDirectory() ? 0o555 : 0o444;
      expect(stats.mode & wanted, path).toBe(wanted);
      expect(stats.mode & 0o022, path).toBe(0);
      expect(stats.uid, path).toBe(0);
    }
  });
});

describe('what the image does, without a shell, on a read-only root', () => {
  /** Gone after the test, and its /tmp too. */
  function start(options: Omit<ContainerOptions, 'tmp'>): Container & { readonly tmp: string } {
    const tmp = mkdtempSync(join(folder, 'tmp-'));
    chmodSync(tmp, 0o1777);
    const container = runContainer(image, { ...options, tmp });
    onTestFinished(async () => {
      container.signal('SIGKILL');
      await container.ended();
    });
    return Object.assign(container, { tmp });
  }

  test('it has no shell to start', () => {
    expect([...files.keys()].filter((path) => /(^|\/)(ba|da|c|k|z)?sh$/.test(path))).toEqual([]);
  });

  test.each([1001, openshiftUser])('as user %i it starts, and says what it can do', async (user) => {
    const container = start({ args: ['--help'], user });
    expect(await container.ended()).toBe(0);
    expect(container.output()).toContain('serve');
  });

  test('it is confined, answers over HTTPS and HTTP, and stops in order', async () => {
    const container = start({ args: ['sandbox', '--bind', '127.0.0.1:0'], user: openshiftUser });
    await container.sees(/Ctrl-C stops it/);
    expect(container.status('Uid').split('\t')).toEqual(Array<string>(4).fill(String(openshiftUser)));
    expect(container.status('Gid').split('\t')).toEqual(Array<string>(4).fill('0'));
    expect(container.status('Groups').trim()).toBe('');
    expect(container.status('CapEff')).toBe('0'.repeat(16));
    expect(container.status('NoNewPrivs')).toBe('1');
    expect(container.rootMount().split(',')).toContain('ro');

    const [, url = '', workspace = ''] = await container.sees(
      /a webhook at (\S+), and a folder to look into: \/tmp\/(\S+)/,
    );
    const ca = readFileSync(join(container.tmp, workspace, 'certs/ca.crt'), 'utf8');
    const example = readFileSync(join(root, 'manifests/examples/tag-mirror.yaml'), 'utf8');
    const checked = await ask(`${url}/check`, ca, { body: example });
    expect(checked.status).toBe(200);
    expect(JSON.parse(checked.body)).toMatchObject({ summary: { deny: 1, sets: 1 } });
    expect((await ask(`${url}/healthz`, ca)).body).toBe('ok');

    container.signal('SIGTERM');
    expect(await container.ended()).toBe(0);
  });

  test('it serves a cluster with the arguments and the rights that the manifests give it', async () => {
    const site = await startKubeSite();
    onTestFinished(() => site.stop());
    await site.installCrds('mirror-sets', 'images', 'infrastructures');
    await applyOverlay(site, 'self-signed');
    const { spec } = theOnly(ofKind<Deployment>(await renderOverlay('self-signed'), 'Deployment'));
    const { args } = theOnly(spec.template.spec.containers);

    const tmp = mkdtempSync(join(folder, 'tmp-'));
    chmodSync(tmp, 0o1777);
    const kubeconfig = await site.kubeconfigFor('mirrorgate');
    const flat = await site.kubectl(['config', 'view', '--raw', '--flatten'], { kubeconfig });
    writeFileSync(join(tmp, 'kubeconfig'), flat.stdout, { mode: 0o644 });
    mkdirSync(join(tmp, 'policy'));
    writeFileSync(
      join(tmp, 'policy/policy.yaml'),
      readFileSync(join(root, 'manifests/base/policy.yaml'), 'utf8'),
    );
    // Later ones hold: what is different here is where the files lie, and that there is no network but this machine's.
    const here = [
      '--policy=/tmp/policy/policy.yaml',
      '--kubeconfig=/tmp/kubeconfig',
      '--namespace=mirrorgate',
    ];
    const binds = ['--bind=127.0.0.1:0', '--metrics-bind=127.0.0.1:0', '--drain-time=0', '--log-format=json'];
    const container = runContainer(image, { args: [...args, ...here, ...binds], user: openshiftUser, tmp });
    onTestFinished(async () => {
      container.signal('SIGKILL');
      await container.ended();
    });
    const [, url = '', metrics = ''] = await container.sees(
      /serving (\S+)\/validate\/mirror-sets.*metrics at (\S+)\/metrics/,
    );

    const client = await site.client();
    const ca = await vi.waitFor(async () => {
      const configuration = await client.get(resources.validatingWebhookConfigurations, {
        name: 'mirrorgate',
      });
      const [webhook] = configuration?.['webhooks'] as {
        readonly clientConfig: { readonly caBundle?: string };
      }[];
      if (webhook?.clientConfig.caBundle === undefined)
        throw new Error(`no caBundle yet\n${container.output()}`);
      return Buffer.from(webhook.clientConfig.caBundle, 'base64').toString();
    }, patience);
    await vi.waitFor(async () => {
      const ready = await ask(`${url}/readyz`, ca, { servername: 'mirrorgate.mirrorgate.svc' });
      expect(ready.status, ready.body).toBe(200);
    }, patience);
    expect((await fetch(`${metrics}/healthz`)).status).toBe(200);
    expect(container.output()).not.toMatch(/forbidden/);

    container.signal('SIGTERM');
    expect(await container.ended()).toBe(0);
  });
});

const patience = { timeout: 30_000, interval: 100 };

/** One request, to a server that must show a certificate of this authority. */
async function ask(
  url: string,
  ca: string,
  { body, servername }: { readonly body?: string; readonly servername?: string } = {},
): Promise<{ readonly status: number | undefined; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { ca, ...(servername !== undefined && { servername }), method: body === undefined ? 'GET' : 'POST' },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('end', () => {
          resolve({ status: response.statusCode, body: text });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}
