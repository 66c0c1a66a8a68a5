import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runCommand } from './run-command.js';
import { temporaryFolder } from './temporary-folder.js';

const examples = 'manifests/examples';
const tagMirror = `${examples}/tag-mirror.yaml`;

interface Output {
  findings: { rule: string; action: string; source: { file: string; line: number }; path: string }[];
  summary: Record<string, number>;
}

async function json(
  args: readonly string[],
  stdin?: string,
): Promise<Output & { exitCode: number; stderr: string }> {
  const { stdout, stderr, exitCode } = await runCommand(
    ['check', '-o', 'json', ...args],
    stdin === undefined ? {} : { stdin },
  );
  return { ...(JSON.parse(stdout) as Output), exitCode, stderr };
}

describe('check', () => {
  it('shows each finding at its line, with a frame and the fix, and exits 1 for a denial', async () => {
    const { stdout, stderr, exitCode } = await runCommand(['check', tagMirror]);
    expect(exitCode).toBe(1);
    expect(stderr).toBe('');
    expect(stdout).toContain(
      [
        'manifests/examples/tag-mirror.yaml:10:11 deny windows-mirror-path: ImageTagMirrorSet "tag-mirror" at spec.imageTagMirrors[0].mirrors[0]',
        '  "quay.io/my-org/image" does not end with "remote-org/image": a Windows node would pull quay.io/my-org/remote-org/image',
        '     8 |     - source: quay.io/remote-org/image',
        '     9 |       mirrors:',
        '  > 10 |         - quay.io/my-org/image',
        '       |           ^^^^^^^^^^^^^^^^^^^^',
        '  fix: use the mirror quay.io/my-org/remote-org/image and copy the image there',
        '',
      ].join('\n'),
    );
    expect(stdout).toContain(
      '1 mirror set, profile baseline: 1 deny, 2 warn, 1 audit; --audit shows what is only recorded\n',
    );
    expect(stdout).not.toContain('digest-required');
  });

  it('prints exactly one JSON object of findings and summary, in file order', async () => {
    const { stdout } = await runCommand(['check', '-o', 'json', tagMirror]);
    const output = JSON.parse(stdout) as Output;
    expect(Object.keys(output)).toEqual(['findings', 'summary']);
    expect(output.findings.map(({ rule, action, source }) => [rule, action, source.line])).toEqual([
      ['itms-widened-on-windows', 'warn', 8],
      ['digest-required', 'audit', 8],
      ['windows-mirror-path', 'deny', 10],
      ['linux-nodes-drain', 'warn', 10],
    ]);
    expect(output.findings[2]).toEqual({
      rule: 'windows-mirror-path',
      action: 'deny',
      kind: 'ImageTagMirrorSet',
      name: 'tag-mirror',
      path: 'spec.imageTagMirrors[0].mirrors[0]',
      message:
        '"quay.io/my-org/image" does not end with "remote-org/image": a Windows node would pull quay.io/my-org/remote-org/image; use the mirror quay.io/my-org/remote-org/image and copy the image there',
      suggestion: 'quay.io/my-org/remote-org/image',
      source: { file: tagMirror, line: 10 },
    });
    expect(output.summary).toEqual({ deny: 1, warn: 2, audit: 1, sets: 1 });
  });

  it('keeps stdout one JSON object when other kinds are skipped, and says so on stderr', async () => {
    const files = temporaryFolder({
      'mixed.yaml': `kind: ConfigMap\nmetadata: {name: other}\n---\n${readFileSync(tagMirror, 'utf8')}`,
    });
    const { findings, exitCode, stderr, ...rest } = await json([files('mixed.yaml')]);
    expect(Object.keys(rest)).toEqual(['summary']);
    expect(findings).toHaveLength(4);
    expect(exitCode).toBe(1);
    expect(stderr).toBe(`note: ${files('mixed.yaml')}:1: skipped ConfigMap "other": no mirror set\n`);
  });

  it('exits 0 for a clean set and for warnings, and 1 for warnings with --strict', async () => {
    expect((await json([`${examples}/clean.yaml`])).exitCode).toBe(0);
    const pause = `${examples}/pause-image.yaml`;
    expect((await json([pause])).exitCode).toBe(0);
    expect((await json(['--strict', `${examples}/clean.yaml`])).exitCode).toBe(0);
    expect((await json(['--strict', pause])).exitCode).toBe(1);
  });

  it('judges the shipped examples as their comments say', async () => {
    const { findings } = await json([examples]);
    const denied = new Set(
      findings.filter(({ action }) => action === 'deny').map(({ source }) => source.file),
    );
    expect([...denied]).toEqual(
      ['tag-mirror', 'tag-whole-registry', 'ubi9repo'].map((name) => `${examples}/${name}.yaml`),
    );
  });

  it('reads directories, globs, stdin, JSON and List kinds', async () => {
    const set = {
      apiVersion: 'config.openshift.io/v1',
      kind: 'ImageTagMirrorSet',
      metadata: { name: 'wide' },
      spec: { imageTagMirrors: [{ source: 'quay.io', mirrors: ['mirror.local'] }] },
    };
    const list = { apiVersion: 'v1', kind: 'List', items: [set] };
    const files = temporaryFolder({
      'a/one.json': JSON.stringify(set),
      'a/note.txt': 'no manifest',
      'b.yml': JSON.stringify(list),
    });
    for (const [args, stdin] of [
      [[files('a')], undefined],
      [[files('a/*.json')], undefined],
      [[files('b.yml')], undefined],
      [['-'], JSON.stringify(list, null, 2)],
    ] as const) {
      const { findings, exitCode } = await json(args, stdin);
      expect(findings.find(({ rule }) => rule === 'itms-registry-wide')?.path).toBe(
        'spec.imageTagMirrors[0].source',
      );
      expect(exitCode).toBe(1);
    }
  });

  it('reports unreadable documents with their place, still judges the others, and exits 2', async () => {
    const files = temporaryFolder({
      'broken.yaml':
        'a: [\n---\napiVersion: config.openshift.io/v1\nkind: ImageTagMirrorSet\nmetadata: {name: 3}\n',
    });
    const { exitCode, stderr, summary } = await json([files('broken.yaml'), tagMirror]);
    expect(exitCode).toBe(2);
    expect(summary).toMatchObject({ sets: 1, deny: 1 });
    expect(stderr).toMatch(/^error: .*broken\.yaml:\d+:\d+: /);
    expect(stderr).toContain('broken.yaml:5:18: metadata.name: expected string, found number\n');
  });

  it.each([
    [['check', '/no/such/file.yaml'], 'error: cannot read /no/such/file.yaml: no such file\n'],
    [['check', 'no-such-*.yaml'], 'error: no file matches no-such-*.yaml\n'],
    [['check', 'src/policy/rules'], 'error: src/policy/rules holds no .yaml, .yml or .json file\n'],
    [['check', '--policy', '/no/policy', tagMirror], 'error: cannot read /no/policy: no such file\n'],
  ])('answers %j with one line and exit code 2', async (args, line) => {
    expect(await runCommand(args)).toEqual({ exitCode: 2, stdout: '', stderr: line });
  });

  it('takes policy and profile, counts exemptions, and warns of one that ends soon', async () => {
    const files = temporaryFolder({
      'policy.yaml': `apiVersion: mirrorgate.dev/v1alpha1
kind: MirrorPolicy
spec:
  rules: { linux-nodes-drain: off, itms-widened-on-windows: off }
  exemptions:
    - reason: moving house
      expires: 2026-06-10
      match: { names: [tag-*], rules: [windows-mirror-path] }
`,
      'broken.yaml':
        'apiVersion: mirrorgate.dev/v1alpha1\nkind: MirrorPolicy\nspec: { profile: strict, rule: {} }\n',
    });
    const exempted = await json(['--policy', files('policy.yaml'), tagMirror]);
    expect(exempted.exitCode).toBe(0);
    expect(exempted.summary).toEqual({ deny: 0, warn: 0, audit: 1, sets: 1, exempted: 1 });
    expect(exempted.stderr).toContain('moving house');
    expect(exempted.stderr).toContain('2026-06-10');

    const restricted = await json(['--policy', files('policy.yaml'), '--profile', 'restricted', tagMirror]);
    expect(restricted.findings.map(({ rule, action }) => [rule, action])).toEqual([
      ['digest-required', 'deny'],
    ]);

    const broken = await runCommand(['check', '--policy', files('broken.yaml'), tagMirror]);
    expect(broken.exitCode).toBe(2);
    expect(broken.stderr).toBe(
      `error: ${files('broken.yaml')}: spec.profile: expected one of "audit", "baseline", "restricted"\n` +
        `error: ${files('broken.yaml')}: spec.rule: unknown field\n`,
    );
  });

  it('takes the insecure registries of an image config among the manifests', async () => {
    const files = temporaryFolder({
      'image.yaml': `apiVersion: config.openshift.io/v1
kind: Image
metadata: { name: cluster }
spec: { registrySources: { insecureRegistries: [mirror.example.com, 'http://x'] } }
`,
    });
    const { findings, stderr } = await json([`${examples}/clean.yaml`, files('image.yaml')]);
    expect(findings.map(({ rule }) => rule)).toEqual(['insecure-mirror', 'insecure-mirror']);
    expect(stderr).toMatch(/^note: insecureRegistries: "http:\/\/x" has a scheme/);
  });

  it('colours on a terminal only, and not where NO_COLOR is set', async () => {
    const escape = '\u001b[';
    expect((await runCommand(['check', tagMirror])).stdout).not.toContain(escape);
    expect((await runCommand(['check', tagMirror], { isTTY: true })).stdout).toContain(escape);
    const plain = await runCommand(['check', tagMirror], { isTTY: true, env: { NO_COLOR: '1' } });
    expect(plain.stdout).not.toContain(escape);
  });
});
