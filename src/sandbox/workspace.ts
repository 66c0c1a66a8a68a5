import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { startSandboxNode, type SandboxNode } from './sandbox-node.js';
import { generateSshKeyPair } from './ssh-key-pair.js';

/** A folder in which all of mirrorgate runs on one machine, with nodes that behave as Windows nodes do. */
export interface Workspace {
  readonly directory: string;
  /** The mirror sets in force: what is put here goes through the gate. */
  readonly manifests: string;
  /** The examples to put there. */
  readonly examples: string;
  readonly inventory: string;
  readonly policy: string;
  readonly certs: string;
  readonly state: string;
  readonly nodes: readonly SandboxNode[];
  /** Real folder of a node's registries directory. */
  registriesOf(node: SandboxNode): string;
  close(): Promise<void>;
}

const username = 'Administrator';
const registriesRoot = 'C:\\k\\containerd\\registries';

const policyText = `# Which rules deny, warn or only record. Edit it while the sandbox runs: it is read again at once.
apiVersion: mirrorgate.dev/v1alpha1
kind: MirrorPolicy
spec:
  profile: baseline # audit, baseline or restricted
  rules: {}
`;

/**
 * Lays the folder out and starts the nodes; each listens on a loopback port of its own and keeps its drive C: in a
 * folder here.
 *
 * @param examples folder of mirror sets to copy
 */
export async function createWorkspace(
  directory: string,
  examples: string,
  nodeNames: readonly string[],
): Promise<Workspace> {
  const at = (...names: string[]) => join(directory, ...names);
  await Promise.all(['manifests', 'nodes', 'certs'].map((name) => mkdir(at(name), { recursive: true })));
  await cp(examples, at('examples'), { recursive: true });

  const { privateKey, publicKey } = generateSshKeyPair();
  await writeFile(at('id_ed25519'), privateKey, { mode: 0o600 });
  await writeFile(at('policy.yaml'), policyText);

  const nodes: SandboxNode[] = [];
  for (const name of nodeNames) {
    nodes.push(
      await startSandboxNode({ name, directory: at('nodes', name), username, authorizedKeys: [publicKey] }),
    );
  }
  const inventory = {
    defaults: { username, privateKeyFile: 'id_ed25519', root: registriesRoot },
    nodes: nodes.map(({ name, address, port }) => ({ name, address, port })),
  };
  await writeFile(at('inventory.yaml'), stringify(inventory));

  return {
    directory,
    manifests: at('manifests'),
    examples: at('examples'),
    inventory: at('inventory.yaml'),
    policy: at('policy.yaml'),
    certs: at('certs'),
    state: at('state'),
    nodes,
    registriesOf: (node) => node.resolve(registriesRoot),
    async close() {
      await Promise.all(nodes.map((node) => node.close()));
    },
  };
}
