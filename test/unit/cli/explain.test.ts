import { describe, expect, it } from 'vitest';
import { runCommand } from './run-command.js';
import { temporaryFolder } from './temporary-folder.js';

const tagMirror = 'manifests/examples/tag-mirror.yaml';

async function explain(image: string, ...files: string[]): Promise<string> {
  const { stdout, exitCode } = await runCommand(['explain', image, '-f', ...files]);
  expect(exitCode).toBe(0);
  return stdout;
}

function sets(
  ...entries: readonly [kind: 'Digest' | 'Tag', source: string, mirrors: string[], policy?: string][]
): string {
  return entries
    .map(([kind, source, mirrors, mirrorSourcePolicy], at) =>
      JSON.stringify({
        apiVersion: 'config.openshift.io/v1',
        kind: `Image${kind}MirrorSet`,
        metadata: { name: `set-${at}` },
        spec: { [`image${kind}Mirrors`]: [{ source, mirrors, mirrorSourcePolicy }] },
      }),
    )
    .join('\n---\n');
}

describe('explain', () => {
  it('puts Windows and Linux side by side and says where they differ', async () => {
    expect(await explain('quay.io/remote-org/image:1.2', tagMirror)).toBe(
      [
        'quay.io/remote-org/image:1.2, by tag',
        '    Windows (containerd)                                 Linux (CRI-O)',
        ' 1  quay.io/my-org/remote-org/image   resolve, pull      quay.io/my-org/image       tag-only mirror',
        ' 2  quay.io/remote-org/image          source             quay.io/remote-org/image   source',
        ' Windows 1 comes from ImageTagMirrorSet tag-mirror, spec.imageTagMirrors[0].mirrors[0] (manifests/examples/tag-mirror.yaml:10)',
        ' Linux 1 comes from ImageTagMirrorSet tag-mirror, spec.imageTagMirrors[0].mirrors[0] (manifests/examples/tag-mirror.yaml:10)',
        ' They differ: Windows does not ask for the declared mirror (windows-mirror-path, ImageTagMirrorSet tag-mirror, spec.imageTagMirrors[0].mirrors[0]).',
        '',
      ].join('\n'),
    );
  });

  it('shows the effect on an image that no entry names', async () => {
    const shown = await explain('quay.io/somebody/else:1', tagMirror);
    expect(shown).toContain(
      ' 1  quay.io/my-org/somebody/else   resolve, pull      quay.io/somebody/else   source',
    );
    expect(shown).toContain(
      'put there for other images: every mirror acts on the whole registry (itms-widened-on-windows',
    );
  });

  it('says so when both look in the same places', async () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    expect(await explain(`quay.io/prometheus/node@${digest}`, 'manifests/examples/clean.yaml')).toContain(
      'Windows and Linux nodes look in the same places.',
    );
  });

  it('tells of a digest mirror that a tag passes over, and of a source that is forbidden', async () => {
    const files = temporaryFolder({
      'sets.yaml': sets(
        ['Digest', 'quay.io/a', ['m.local/a'], 'NeverContactSource'],
        ['Digest', 'quay.io/b', ['m.local/b']],
      ),
    });
    const shown = await explain('quay.io/b/image:1', files('sets.yaml'));
    expect(shown).toContain('Windows passes m.local/b/image over while it resolves the tag');
    expect(shown).toContain('Windows never contacts quay.io');
    expect(shown).toContain(' 2  m.local/b/image   pull (once more)');
    expect(shown).toContain(' quay.io is never contacted from Windows nodes.');
  });

  it('spells short names out, and refuses what is no image name', async () => {
    const title = (await explain('nginx', tagMirror)).split('\n')[0];
    expect(title).toBe('docker.io/library/nginx:latest, by tag');
    expect(await runCommand(['explain', 'quay.io', '-f', tagMirror])).toMatchObject({ exitCode: 0 });
    const broken = await runCommand(['explain', 'quay.io/Upper:1', '-f', tagMirror]);
    expect(broken).toMatchObject({
      exitCode: 2,
      stderr: 'error: image "quay.io/Upper:1" has upper case in its path (Upper); expected lower case\n',
    });
  });
});
