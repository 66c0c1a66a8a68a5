import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { runMirrorgate } from './process.js';

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mirrorgate-test-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

describe('mirrorgate sandbox', () => {
  it('tells the whole story in one round and exits 0', async () => {
    const folder = newFolder();
    const sandbox = runMirrorgate(['sandbox', '--once', '--dir', folder, '--bind', '127.0.0.1:0']);
    expect(await sandbox.ended()).toBe(0);

    const story = sandbox.stdout();
    expect(story).toContain('imagedigestmirrorset.config.openshift.io/clean created');
    expect(story).toContain('imagetagmirrorset.config.openshift.io/pause-image created');
    expect(story).toContain(
      'Warning: itms-widened-on-windows: spec.imageTagMirrors[0]: on Windows every quay.io tag tries quay.io/my-org first',
    );
    expect(story).toContain(
      [
        'Error from server (Forbidden): error when creating "tag-mirror.yaml": admission webhook "mirror-sets.mirrorgate.dev" denied the request: ImageTagMirrorSet "tag-mirror" breaks 1 rule (profile baseline)',
        '  windows-mirror-path at spec.imageTagMirrors[0].mirrors[0]',
        '    "quay.io/my-org/image" does not end with "remote-org/image": a Windows node would pull quay.io/my-org/remote-org/image',
        '    fix: use the mirror quay.io/my-org/remote-org/image and copy the image there',
      ].join('\n'),
    );
    for (const node of ['win-1', 'win-2', 'win-3']) {
      expect(story).toMatch(
        new RegExp(`^${node} in sync in \\d+ ms: wrote mcr.microsoft.com/hosts.toml`, 'm'),
      );
      const registries = join(folder, 'nodes', node, 'k', 'containerd', 'registries');
      expect(readdirSync(registries).sort()).toEqual([
        'docker.io',
        'ghcr.io',
        'mcr.microsoft.com',
        'quay.io',
        'registry.redhat.io',
      ]);
      expect(readFileSync(join(registries, 'quay.io', 'hosts.toml'), 'utf8')).toContain(
        'https://backup.example.com/v2',
      );
    }
    expect(existsSync(join(folder, 'manifests', 'tag-mirror.yaml'))).toBe(false);
  });

  it('stays up, follows what a person does to it, and stops on Ctrl-C', async () => {
    const folder = newFolder();
    const sandbox = runMirrorgate(['sandbox', '--dir', folder, '--bind', '127.0.0.1:0']);
    await sandbox.sees('What happens from here on:');
    const manifests = join(folder, 'manifests');
    const hostsToml = join(
      folder,
      'nodes',
      'win-2',
      'k',
      'containerd',
      'registries',
      'quay.io',
      'hosts.toml',
    );

    cpSync(join(folder, 'examples', 'tag-mirror.yaml'), join(manifests, 'tag-mirror.yaml'));
    await sandbox.sees('It is kept out: nothing changes on the nodes.');
    expect(readFileSync(hostsToml, 'utf8')).not.toContain('my-org');

    const fixed = readFileSync(join(manifests, 'tag-mirror.yaml'), 'utf8').replace(
      'my-org/image',
      'my-org/remote-org/image',
    );
    writeFileSync(join(manifests, 'tag-mirror.yaml'), fixed);
    await sandbox.sees('imagetagmirrorset.config.openshift.io/tag-mirror created');
    await vi.waitFor(
      () => {
        expect(readFileSync(hostsToml, 'utf8')).toContain('https://quay.io/v2/my-org');
      },
      { timeout: 10_000 },
    );

    rmSync(join(manifests, 'pull-through-cache.yaml'));
    await sandbox.sees('imagedigestmirrorset.config.openshift.io/pull-through-cache deleted');
    await sandbox.sees('removed docker.io/hosts.toml');

    writeFileSync(
      join(folder, 'policy.yaml'),
      'apiVersion: mirrorgate.dev/v1alpha1\nkind: MirrorPolicy\nspec: { profile: harsh }\n',
    );
    await sandbox.sees(
      'spec.profile: expected one of "audit", "baseline", "restricted"; the last good one stays in force',
    );

    sandbox.signal('SIGINT');
    expect(await sandbox.ended()).toBe(0);
  });

  it('does not touch a folder that holds something', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'mine.txt'), 'mine');
    const sandbox = runMirrorgate(['sandbox', '--once', '--dir', folder]);
    expect(await sandbox.ended()).toBe(2);
    expect(sandbox.output()).toBe(
      `error: --dir ${folder} is not empty\nhint: name a new folder, or empty this one\n`,
    );
    expect(readdirSync(folder)).toEqual(['mine.txt']);
  });
});
