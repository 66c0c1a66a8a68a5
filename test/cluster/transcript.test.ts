import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startInstalledCluster, type InstalledCluster } from './installed-cluster.js';

const readme = join(import.meta.dirname, '../../README.md');
const section = /(<!-- transcript: written by npm run docs:cluster -->)[^]*?(<!-- end of transcript -->)/;

/** A step of the transcript: what somebody who reads it would type. */
interface Step {
  /** What stands above it; without, it stands in one block with the step before. */
  readonly text?: string;
  readonly command: string;
  /** It is denied. */
  readonly fails?: boolean;
}

const tagToDigest = JSON.stringify({
  spec: { imageDigestMirrors: [{ source: 'quay.io/prometheus', mirrors: ['mirror.example.com/other'] }] },
});

const steps: readonly Step[] = [
  {
    text: 'A set without a finding is created, and nothing is said:',
    command: 'kubectl create -f manifests/examples/clean.yaml',
  },
  {
    text: 'Some are let in with a warning, for people to know what comes of it:',
    command: 'kubectl create -f manifests/examples/pause-image.yaml',
  },
  { command: 'kubectl create -f manifests/examples/never-contact.yaml' },
  { command: 'kubectl create -f manifests/examples/pull-through-cache.yaml' },
  { command: 'kubectl create -f manifests/examples/release-payload.yaml' },
  {
    text: 'What Windows nodes could not honour, or what is too broad, is denied, with the fix beside each finding:',
    command: 'kubectl create -f manifests/examples/tag-mirror.yaml',
    fails: true,
  },
  { command: 'kubectl create -f manifests/examples/tag-whole-registry.yaml', fails: true },
  { command: 'kubectl create -f manifests/examples/ubi9repo.yaml', fails: true },
  {
    text: 'It is the same however a change comes: with `apply`, at the client or at the server, as a patch, or as a dry run.',
    command: 'kubectl apply -f manifests/examples/ubi9repo.yaml',
    fails: true,
  },
  { command: 'kubectl apply --server-side -f manifests/examples/tag-mirror.yaml', fails: true },
  { command: 'kubectl create --dry-run=server -f manifests/examples/tag-mirror.yaml', fails: true },
  { command: `kubectl patch idms clean --type=merge -p '${tagToDigest}'`, fails: true },
  {
    text: 'Changes to labels and annotations are never denied, nor is a deletion that does no harm:',
    command: 'kubectl annotate idms clean example.com/owner=team-a',
  },
  { command: 'kubectl delete -f manifests/examples/clean.yaml' },
];

let cluster: InstalledCluster;

beforeAll(async () => {
  cluster = await startInstalledCluster();
});
afterAll(async () => {
  await cluster.stop();
});

/** Arguments as a shell would take them apart; nothing but single quotes is used. */
function words(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
}

async function run({ command, fails = false }: Step): Promise<string> {
  const [, ...args] = words(command);
  const { stdout, stderr } = await cluster.site.kubectl(args, { expectFailure: fails });
  // On a terminal both go to the same place; warnings come first.
  return `$ ${command}\n${stderr}${stdout}`;
}

describe('README', () => {
  it('shows what kubectl says, word for word (npm run docs:cluster writes it)', async () => {
    const blocks: { readonly text: string; readonly outputs: string[] }[] = [];
    for (const step of steps) {
      const output = await run(step);
      if (step.text !== undefined) blocks.push({ text: step.text, outputs: [] });
      blocks.at(-1)?.outputs.push(output);
    }
    const transcript = blocks
      .map(({ text, outputs }) => `${text}\n\n\`\`\`console\n${outputs.join('')}\`\`\``)
      .join('\n\n');
    const text = readFileSync(readme, 'utf8');
    expect(text).toMatch(section);
    const replaced = text.replace(
      section,
      (_, start: string, end: string) => `${start}\n\n${transcript}\n\n${end}`,
    );
    const written = await format(replaced, { ...(await resolveConfig(readme)), filepath: readme });
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(readme, written);
    else expect(text).toBe(written);
  });

  it('kubectl edit is answered as every other change is', async () => {
    const editor = join(cluster.site.directory, 'editor');
    const edit = (from: string, to: string, expectFailure: boolean) => {
      writeFileSync(editor, `#!/bin/sh\nsed -i 's#${from}#${to}#' "$1"\n`, { mode: 0o755 });
      return cluster.site.kubectl(['edit', 'idms', 'never-contact'], {
        env: { KUBE_EDITOR: editor },
        expectFailure,
      });
    };
    const allowed = await edit('- mirror.example.com', '- mirror.example.com/everything', false);
    expect(allowed.stdout).toContain('imagedigestmirrorset.config.openshift.io/never-contact edited');
    expect(allowed.stderr).toMatch(/^Warning: linux-nodes-drain: /);

    const denied = await edit('source: registry.redhat.io', 'source: registry.redhat.io/ubi9', true);
    expect(denied.stderr).toContain('denied the request: ImageDigestMirrorSet "never-contact" breaks 1 rule');
    expect(denied.stderr).toContain('fix: use the mirror mirror.example.com/everything/ubi9');
  });
});
