import type { KubeObject } from '../../src/cluster/kube-object.js';
import type { PolicyRule } from './policy-rule.js';

/** What every rendered object has. */
export interface Manifest extends KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
}
export interface Role extends Manifest {
  readonly rules: readonly PolicyRule[];
}
export interface Binding extends Manifest {
  readonly roleRef: { readonly apiGroup: string; readonly kind: string; readonly name: string };
  readonly subjects: readonly object[];
}
export interface Deployment extends Manifest {
  readonly spec: {
    readonly replicas: number;
    readonly strategy: object;
    readonly selector: { readonly matchLabels: Labels };
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
  };
}
export interface PodSpec {
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
  readonly [field: string]: unknown;
}
export interface Container {
  readonly image: string;
  readonly args: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
  }[];
  readonly [field: string]: unknown;
}
export interface Volume {
  readonly name: string;
  readonly configMap?: { readonly name: string };
  readonly secret?: { readonly secretName: string };
}
export type Labels = Readonly<Record<string, string>>;

export function ofKind<T extends Manifest = Manifest>(
  manifests: readonly Manifest[],
  ...kinds: readonly string[]
): T[] {
  return manifests.filter(({ kind }) => kinds.includes(kind)) as T[];
}

/** @throws Error unless there is exactly one */
export function theOnly<T>(list: readonly T[]): T {
  const [only] = list;
  if (only === undefined || list.length > 1) throw new Error(`expected one, found ${list.length}`);
  return only;
}
