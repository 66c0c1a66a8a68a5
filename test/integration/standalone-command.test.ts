import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startSandboxNode, type SandboxNode } from '../../src/sandbox/sandbox-node.js';
import { generateSshKeyPair } from '../../src/sandbox/ssh-key-pair.js';
import { writeDevelopmentCerts } from '../../src/serving/certs-directory.js';
import { runMirrorgate, type RunningProcess } from './process.js';

const password = 'hunter2-hunter2';
const token = Buffer.from(`robot:${password}`).toString('base64');
const brokenToken = Buffer.from('no-colon-in-this-one').toString('base64');
const secrets = [password, token, brokenToken, 'refresh-me-not'];

const idms = (name: string, source: string, mirror: string) => `apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata: { name: ${name} }
spec:
  imageDigestMirrors:
    - source: ${source}
      mirrors: [${mirror}]
`;

interface Site {
  readonly at: (...names: string[]) => string;
  readonly node: SandboxNode;
  readonly args: string[];
  hostsToml(directory: string): string;
}

async function makeSite(): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), 'mirrorgate-test-'));
  const at = (...names: string[]) => join(folder, ...names);
  mkdirSync(at('manifests'));
  const { privateKey, publicKey } = generateSshKeyPair();
  const node = await startSandboxNode({
    name: 'win-1',
    directory: at('drive'),
    username: 'Administrator',
    authorizedKeys: [publicKey],
  });
  onTestFinished(async () => {
    await node.close();
    rmSync(folder, { recursive: true, force: true });
  });
  writeFileSync(at('id_ed25519'), privateKey, { mode: 0o600 });
  writeFileSync(
    at('inventory.yaml'),
    `defaults: { username: Administrator, privateKeyFile: id_ed25519 }\nnodes: [{ name: win-1, address: 127.0.0.1, port: ${node.port} }]\n`,
  );
  writeFileSync(
    at('pull-secret.json'),
    JSON.stringify({
      auths: {
        'mirror.local': { auth: token },
        'broken.local': { auth: brokenToken },
        'token.local': { identitytoken: 'refresh-me-not' },
      },
    }),
  );
  await writeDevelopmentCerts(at('certs'), { now: new Date() });
  return {
    at,
    node,
    args: [
      'standalone',
      ...['--manifests', at('manifests'), '--inventory', at('inventory.yaml'), '--certs-dir', at('certs')],
      ...['--pull-secret', at('pull-secret.json'), '--bind', '127.0.0.1:0', '--metrics-bind', '127.0.0.1:0'],
      ...['--drain-time', '0', '--log-level', 'debug', '--log-format', 'json'],
    ],
    hostsToml: (directory) =>
      readFileSync(join(node.resolve('C:\\k\\containerd\\registries'), directory, 'hosts.toml'), 'utf8'),
  };
}

async function started(site: Site): Promise<{ process: RunningProcess; url: string; metrics: string }> {
  const process = runMirrorgate(site.args);
  await process.sees('"metrics":');
  const [, url = '', metrics = ''] = /"url":"([^"]+)","metrics":"([^"]+)"/.exec(process.output()) ?? [];
  return { process, url, metrics };
}

function ask(url: string, ca: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/yaml' };
    const send = url.startsWith('https') ? httpsRequest : httpRequest;
    send(url, { method: body === undefined ? 'GET' : 'POST', ca, headers }, (response) => {
      text(response).then(resolve, reject);
    })
      .on('error', reject)
      .end(body);
  });
}

describe('mirrorgate standalone', () => {
  it('judges, renders and distributes what the directory says, and never shows a credential', async () => {
    const site = await makeSite();
    writeFileSync(site.at('manifests', 'good.yaml'), idms('good', 'quay.io/org', 'mirror.local/cache/org'));
    writeFileSync(site.at('manifests', 'bad.yaml'), idms('bad', 'quay.io/org/app', 'mirror.local/app'));
    const { process, url, metrics } = await started(site);
    await process.sees('in sync (1 written');

    // The courier carries the credential to the node, and nowhere else.
    expect(site.hostsToml('quay.io')).toContain(`Authorization = "Basic ${token}"`);
    expect(process.output()).toContain('ImageDigestMirrorSet \\"bad\\" is denied and kept out');
    expect(process.output()).toContain(
      `${site.at('manifests', 'bad.yaml')}:7: spec.imageDigestMirrors[0].mirrors[0]: `,
    );
    expect(process.output()).toContain('the pull secret\'s entry \\"token.local\\"');

    const ca = readFileSync(site.at('certs', 'ca.crt'), 'utf8');
    const answers = [
      await ask(`${url}/check`, ca, readFileSync(site.at('manifests', 'good.yaml'), 'utf8')),
      await ask(`${url}/check`, ca, '{"auths": {'),
      await ask(`${url}/readyz`, ca),
      await ask(`${metrics}/metrics`, ca),
      await ask(`${metrics}/readyz`, ca),
    ];
    expect(answers[0]).toContain('https://mirror.local/v2/cache');
    expect(answers[3]).toContain('mirrorgate_nodes{state="synced"} 1');
    expect(answers[3]).toContain('mirrorgate_mirror_sets{verdict="kept-out"} 1');
    expect(answers[4]).toContain('"ready":true');

    // Errors about the secret itself: it becomes unreadable, and its faults are told.
    writeFileSync(site.at('pull-secret.json'), `{"auths": {"mirror.local": {"auth": "${token}"`);
    await process.sees(/pull secret .*the last good one stays in force/);

    process.signal('SIGTERM');
    expect(await process.ended()).toBe(0);
    const everything = [
      process.output(),
      ...answers,
      readFileSync(site.at('.mirrorgate', 'admitted.json'), 'utf8'),
    ].join('\n');
    const privateKey = readFileSync(site.at('id_ed25519'), 'utf8').split('\n')[2] ?? '';
    for (const secret of [...secrets, privateKey]) expect(everything).not.toContain(secret);
  });

  it('keeps the last good version of a set that is denied now, also across a restart', async () => {
    const site = await makeSite();
    const manifest = site.at('manifests', 'set.yaml');
    writeFileSync(manifest, idms('set', 'quay.io/org/app', 'mirror.local/org/app'));
    const first = await started(site);
    await first.process.sees('in sync (1 written');
    const good = site.hostsToml('quay.io');

    writeFileSync(manifest, idms('set', 'quay.io/org/app', 'other.local/app'));
    await first.process.sees('denied; its last good version stays in force');
    expect(site.hostsToml('quay.io')).toBe(good);
    first.process.signal('SIGTERM');
    await first.process.ended();

    site.node.takeOperations();
    const second = await started(site);
    await second.process.sees('in sync (0 written, 0 removed, 1 unchanged)');
    expect(second.process.output()).toContain('denied; its last good version stays in force');
    expect(site.hostsToml('quay.io')).toBe(good);
    expect(
      site.node.takeOperations().filter(({ kind }) => kind === 'open-write' || kind === 'remove'),
    ).toEqual([]);

    writeFileSync(manifest, idms('set', 'quay.io/org/app', 'other.local/org/app'));
    await vi.waitFor(
      () => {
        expect(site.hostsToml('quay.io')).toContain('other.local');
      },
      { timeout: 10_000 },
    );
  });

  it('ends at once with one line and exit code 2 when something it is told to use is not there', async () => {
    const site = await makeSite();
    const without = (flag: string, value: string) =>
      site.args.map((arg, at) => (site.args[at - 1] === flag ? value : arg));
    for (const [args, line] of [
      [without('--manifests', '/no/such'), /^error: cannot read the manifests in \/no\/such\nhint: .*\n$/],
      [without('--inventory', '/no/such'), /^error: inventory \/no\/such: .*missing.*\n$/],
      [
        without('--certs-dir', site.at('nocerts')),
        /^error: .*nocerts.* does not exist\nhint: .*mirrorgate certs.*\n$/,
      ],
    ] as const) {
      const process = runMirrorgate(args);
      expect(await process.ended()).toBe(2);
      expect(process.output()).toMatch(line);
    }
  });
});
