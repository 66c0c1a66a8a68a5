import type { InsecureRegistries } from '../mirrors/insecure-registries.js';
import { compareText } from '../mirrors/mirror-set.js';
import { registryName, type RegistryConfig } from '../mirrors/registry-view.js';
import { windowsNameFault } from '../mirrors/windows-name.js';
import type { DesiredState } from './desired-state.js';
import { hostsFile, type HostsFileOptions } from './hosts-file.js';
import { formatHostsToml } from './hosts-toml.js';
import { noCredentials, type PullSecret } from './pull-secret.js';
import { registryDirectory } from '../mirrors/registry-directory.js';
import type { RenderingFinding } from './rendering-finding.js';
import { revisionOf } from './revision.js';

export interface RenderOptions {
  /** Without it no header is written. */
  readonly credentials?: PullSecret | undefined;
  readonly insecure: InsecureRegistries;
}

export interface RenderedHosts {
  readonly desired: DesiredState;
  /** Those of the pull secret first, then by registry. */
  readonly findings: readonly RenderingFinding[];
}

/**
 * Renders what every Windows node must hold. The same configs give the same bytes in any order and on any machine.
 *
 * @throws Error when a file does not read back as what was meant, or when two configs are for one registry: faults of
 * mirrorgate, never of a mirror set
 */
export function renderHosts(registries: readonly RegistryConfig[], options: RenderOptions): RenderedHosts {
  const { credentials = noCredentials, insecure } = options;
  const sorted = registries
    .map((config) => ({ directory: registryDirectory(config.registry), config }))
    .sort((left, right) => compareText(left.directory, right.directory));

  const files = new Map<string, string>();
  const findings: RenderingFinding[] = [...credentials.findings];
  for (const { directory, config } of sorted) {
    const { content, finding } = renderRegistry(config, directory, { credentials, insecure });
    if (finding !== undefined) findings.push(finding);
    if (content === undefined) continue;
    if (files.has(directory)) throw new Error(`two registry configs are for the one directory ${directory}`);
    files.set(directory, content);
  }
  return { desired: { files, revision: revisionOf(files) }, findings };
}

interface RenderedRegistry {
  /** `undefined` when no file is needed, or none can be. */
  readonly content?: string;
  readonly finding?: RenderingFinding;
}

function renderRegistry(
  config: RegistryConfig,
  directory: string,
  options: HostsFileOptions,
): RenderedRegistry {
  const file = hostsFile(config, options);
  if (file === undefined) return {};

  const registry = registryName(config);
  const nameFault = windowsNameFault(directory);
  if (nameFault !== undefined) {
    // A directory that cannot be made would keep every node from ever being in sync, and help none of them.
    const message = `${registry} has no mirrors on Windows: ${nameFault}; use another name of the registry as source`;
    return { finding: { code: 'registry-unnameable', registry, message } };
  }

  const content = formatHostsToml(file);
  if (config.hosts.length > 0) return { content };
  const message = `no image of ${registry} can be pulled on Windows: NeverContactSource forbids the source, and none of its mirrors can be used there; give it a mirror whose path ends with the whole path of its source`;
  return { content, finding: { code: 'never-contact-unreachable', registry, message } };
}
