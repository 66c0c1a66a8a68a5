import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runCommand } from './run-command.js';
import { temporaryFolder } from './temporary-folder.js';

const neverContact = 'manifests/examples/never-contact.yaml';
const password = 'correct-horse';
const authorization = `Basic ${Buffer.from(`robot:${password}`).toString('base64')}`;
const pullSecret = JSON.stringify({
  auths: { 'mirror.example.com': { auth: Buffer.from(`robot:${password}`).toString('base64') } },
});

describe('render', () => {
  it('prints the tree to stdout and the count to stderr', async () => {
    const { stdout, stderr, exitCode } = await runCommand(['render', neverContact]);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(`# registry.redhat.io/hosts.toml
# Managed by mirrorgate. Changes are overwritten.
server = "https://mirror.example.com/v2"
capabilities = ["pull"]
override_path = true

[host."https://mirror.example.com/v2"]
capabilities = ["pull"]
override_path = true

`);
    expect(stderr).toMatch(/^1 file, revision [0-9a-f]{12}; --out DIR writes them\n$/);
  });

  it('writes the tree, for its owner alone, with the credentials that it never prints', async () => {
    const files = temporaryFolder({ 'pull.json': pullSecret });
    const out = files('out');
    const written = await runCommand([
      'render',
      neverContact,
      '--pull-secret',
      files('pull.json'),
      '--out',
      out,
    ]);
    expect(written.exitCode).toBe(0);
    const path = files('out/registry.redhat.io/hosts.toml');
    expect(readFileSync(path, 'utf8')).toContain(authorization);
    expect(statSync(path).mode & 0o777).toBe(0o600);

    const printed = await runCommand(['render', neverContact, '--pull-secret', files('pull.json')]);
    const compared = await runCommand(['render', neverContact, '--diff', out]);
    expect(compared.exitCode).toBe(1);
    expect(printed.stdout).toContain('Authorization = "<redacted>"');
    expect(compared.stdout).toContain('-Authorization = "<redacted>"');
    for (const { stdout, stderr } of [written, printed, compared]) {
      for (const secret of [password, authorization.slice('Basic '.length)])
        expect(stdout + stderr).not.toContain(secret);
    }
  });

  it('shows what would change, and exits 1 for a difference and 0 for none', async () => {
    const files = temporaryFolder();
    const out = files('out');
    await runCommand(['render', neverContact, '--out', out]);
    const same = await runCommand(['render', neverContact, '--diff', out]);
    expect(same).toMatchObject({
      exitCode: 0,
      stdout: '',
      stderr: `no difference: ${out} holds what would be rendered\n`,
    });

    const path = files('out/registry.redhat.io/hosts.toml');
    writeFileSync(
      path,
      readFileSync(path, 'utf8').replace('mirror.example.com/v2"]', 'old.example.com/v2"]'),
    );
    const other = await runCommand([
      'render',
      neverContact,
      'manifests/examples/pause-image.yaml',
      '--diff',
      out,
    ]);
    expect(other.exitCode).toBe(1);
    expect(other.stdout).toContain(
      '-[host."https://old.example.com/v2"]\n+[host."https://mirror.example.com/v2"]',
    );
    expect(other.stdout).toContain('+++ rendered/mcr.microsoft.com/hosts.toml');
    expect(other.stderr).toBe('1 added, 1 changed, 0 removed (credentials are compared but not shown)\n');
  });

  it('leaves what is not part of the tree alone, and says so', async () => {
    const files = temporaryFolder({ 'out/old.example.com/hosts.toml': 'server = "https://x"\n' });
    const { stderr } = await runCommand(['render', neverContact, '--out', files('out')]);
    expect(stderr).toContain(
      `note: ${files('out/old.example.com/hosts.toml')} was there and is not part of this; left alone`,
    );
    expect(readFileSync(files('out/old.example.com/hosts.toml'), 'utf8')).toBe('server = "https://x"\n');
  });

  it('names a pull secret that cannot be used without quoting it, and refuses --out with --diff', async () => {
    const files = temporaryFolder({ 'pull.txt': `{"auth": "${password}"` });
    const { exitCode, stderr } = await runCommand([
      'render',
      neverContact,
      '--pull-secret',
      files('pull.txt'),
    ]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(files('pull.txt'));
    expect(stderr).not.toContain(password);

    const both = await runCommand(['render', neverContact, '--out', 'x', '--diff', 'y']);
    expect(both.exitCode).toBe(2);
    expect(both.stderr).toContain("option '--diff <dir>' cannot be used with option '--out <dir>'");
  });

  it('leaves inexact mirrors out when the policy says so', async () => {
    const files = temporaryFolder({
      'policy.yaml':
        'apiVersion: mirrorgate.dev/v1alpha1\nkind: MirrorPolicy\nspec: { rendering: { naming: omit } }\n',
    });
    const tagMirror = 'manifests/examples/tag-mirror.yaml';
    expect((await runCommand(['render', tagMirror])).stdout).toContain('https://quay.io/v2/my-org');
    expect((await runCommand(['render', tagMirror, '--policy', files('policy.yaml')])).stdout).toBe('');
  });
});
