import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { Role } from '../cluster/manifest-kinds.js';

/** Where the manifests grant something, and which overlays bring it. */
const sources = {
  'base/rbac.yaml': 'all',
  'components/own-secrets/rbac.yaml': 'self-signed, cert-manager',
  'overlays/self-signed/rbac.yaml': 'self-signed',
  'overlays/openshift/rbac.yaml': 'openshift',
} as const;

/** A Markdown table of everything that the manifests let the service account do. */
export function rbacTable(): string {
  const rows = Object.entries(sources).flatMap(([file, overlays]) =>
    rolesOf(file).flatMap(({ kind, metadata: { namespace = '' }, rules }) =>
      rules.map(({ apiGroups, resources, resourceNames = [], verbs }) => [
        kind === 'ClusterRole' ? 'cluster' : `\`${namespace}\``,
        resources.map((resource) => `\`${[resource, ...apiGroups.filter(Boolean)].join('.')}\``).join(', '),
        resourceNames.length === 0 ? 'any' : resourceNames.map((name) => `\`${name}\``).join(', '),
        verbs.join(', '),
        overlays,
      ]),
    ),
  );
  const head = ['in', 'resources', 'named', 'may', 'overlays'];
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function rolesOf(file: string): Role[] {
  const text = readFileSync(new URL(`../../manifests/${file}`, import.meta.url), 'utf8');
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Role)
    .filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole');
}
