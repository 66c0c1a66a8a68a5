/** A rule of a Role or ClusterRole (rbac.authorization.k8s.io/v1) that is about resources. */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** Each single thing that a rule allows: `verb group/resource`, and `/name` where it is for one object. */
export function ruleKeys({ apiGroups, resources, verbs, resourceNames = [] }: PolicyRule): string[] {
  const names = resourceNames.length === 0 ? [''] : resourceNames.map((name) => `/${name}`);
  return verbs.flatMap((verb) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => names.map((name) => `${verb} ${group}/${resource}${name}`)),
    ),
  );
}
