import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runCommand } from './run-command.js';
import { temporaryFolder } from './temporary-folder.js';

const commands = ['check', 'render', 'explain', 'serve', 'standalone', 'sandbox', 'certs'];

describe('the program', () => {
  it.each(commands)('has help with an example for %s', async (command) => {
    const { exitCode, stdout, stderr } = await runCommand([command, '--help']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain(`Usage: mirrorgate ${command}`);
    expect(stdout).toContain(`$ mirrorgate ${command}`);
  });

  it('lists its commands', async () => {
    const { stdout } = await runCommand(['--help']);
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
  });

  it('goes by the name of a kubectl plugin when it is called as one', async () => {
    const { stdout } = await runCommand(['check', '--help'], {
      program: '/usr/local/bin/kubectl-mirrorgate',
    });
    expect(stdout).toContain('Usage: kubectl mirrorgate check');
    expect(stdout).toContain('$ kubectl mirrorgate check');
  });

  it.each([
    [
      ['chekc'],
      "error: unknown command 'chekc'\n(Did you mean check?)\n(mirrorgate --help shows the usage)\n",
    ],
    [
      ['check', '--strct', 'x'],
      "error: unknown option '--strct'\n(Did you mean --strict?)\n(mirrorgate --help shows the usage)\n",
    ],
    [['check'], "error: missing required argument 'file'\n(mirrorgate --help shows the usage)\n"],
  ])('answers %j with exit code 2 and a suggestion', async (args, stderr) => {
    expect(await runCommand(args)).toEqual({ exitCode: 2, stdout: '', stderr });
  });

  it.each([
    ['--bind', '8443', 'has no port'],
    ['--bind', 'localhost:99999', 'needs a port from 0 to 65535'],
    ['--concurrency', '0', 'expected a whole number from 1 up'],
    ['--drain-time', '-1', 'expected a number from 0 up'],
    ['--log-level', 'loud', 'Allowed choices are debug, info, warn, error'],
  ])('names the flag and what it expects: %s %s', async (flag, value, expected) => {
    const { exitCode, stderr } = await runCommand([
      'standalone',
      '--manifests',
      '.',
      '--inventory',
      'x',
      `${flag}=${value}`,
    ]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(flag);
    expect(stderr).toContain(expected);
  });

  it('shows where an error came from only when asked', async () => {
    const plain = await runCommand(['check', '/no/such']);
    const verbose = await runCommand(['--verbose', 'check', '/no/such']);
    expect(plain.stderr).toBe('error: cannot read /no/such: no such file\n');
    expect(verbose.stderr).toContain('    at ');
    expect(verbose.stderr).toContain('caused by: Error: ENOENT');
  });

  it('certs writes a pair for the hosts asked for, keeps it, and renews it under the same authority for another host', async () => {
    const files = temporaryFolder();
    const run = (...args: string[]) =>
      runCommand(['certs', '--certs-dir', files('c'), ...args], { now: new Date() });
    const first = await run('--host', 'a.example.com');
    expect(first).toMatchObject({ exitCode: 0, stderr: '' });
    const ca = readFileSync(files('c/ca.crt'), 'utf8');
    const certificate = () => new X509Certificate(readFileSync(files('c/tls.crt')));
    const before = certificate().serialNumber;
    expect(certificate().checkHost('a.example.com')).toBe('a.example.com');

    await run('--host', 'a.example.com');
    expect(certificate().serialNumber).toBe(before);

    await run('--host', 'b.example.com');
    expect(certificate().checkHost('b.example.com')).toBe('b.example.com');
    expect(readFileSync(files('c/ca.crt'), 'utf8')).toBe(ca);
  });

  describe('serve', () => {
    it.each([
      ['--pull-secret', 'pull-secret', 'expected namespace/name, found "pull-secret"'],
      ['--ssh-key', 'none', 'expected namespace/name, found "none"'],
      ['--windows-instances', 'a/b/c', 'expected namespace/name, found "a/b/c"'],
      ['--ca-lifetime', '0', 'expected a number of days above 0'],
      ['--cert-lifetime', 'soon', 'expected a number of days above 0'],
    ])('names the flag and what it expects: %s %s', async (flag, value, expected) => {
      const { exitCode, stderr } = await runCommand(['serve', `${flag}=${value}`]);
      expect(exitCode).toBe(2);
      expect(stderr).toContain(flag);
      expect(stderr).toContain(expected);
    });

    it('has the objects of an OpenShift cluster as defaults, as they are written on the command line', async () => {
      const { stdout } = await runCommand(['serve', '--help']);
      expect(stdout).toContain('"openshift-config/pull-secret"');
      expect(stdout).toContain('"openshift-windows-machine-config-operator/cloud-private-key"');
    });

    it('says which kubeconfig or context cannot be used', async () => {
      const missing = await runCommand(['serve', '--kubeconfig=no-such-file']);
      expect(missing.exitCode).toBe(2);
      expect(missing.stderr).toMatch(/^error: no cluster: .*no-such-file/);
      expect(missing.stderr).toContain('hint: name a kubeconfig with --kubeconfig');

      const folder = temporaryFolder({
        kubeconfig: JSON.stringify({
          clusters: [{ name: 'one', cluster: { server: 'https://127.0.0.1:1' } }],
          users: [{ name: 'me', user: {} }],
          contexts: [{ name: 'here', context: { cluster: 'one', user: 'me' } }],
          'current-context': 'here',
        }),
      });
      const context = await runCommand(['serve', `--kubeconfig=${folder('kubeconfig')}`, '--context=there']);
      expect(context.exitCode).toBe(2);
      expect(context.stderr).toContain('the kubeconfig has no context "there"; it has "here"');
    });

    it('takes no certificate that outlives its authority, and no half of a pair', async () => {
      const lives = await runCommand(['serve', '--ca-lifetime=1', '--cert-lifetime=2']);
      expect(lives).toMatchObject({ exitCode: 2 });
      expect(lives.stderr).toContain('--cert-lifetime 2 is longer than --ca-lifetime 1');
      const half = await runCommand(['serve', '--tls-cert=x']);
      expect(half).toMatchObject({ exitCode: 2 });
      expect(half.stderr).toContain('--tls-cert and --tls-key go together');
    });
  });
});
