/** Somebody whom the API server knows by a token. */
export interface KubeUser {
  readonly name: string;
  readonly groups: readonly string[];
}

/** May do everything. */
export const admin: KubeUser = { name: 'admin', groups: ['system:masters'] };

/** mirrorgate's service account, under the names by which RBAC knows it: nobody issues tokens here. */
export const mirrorgate: KubeUser = {
  name: 'system:serviceaccount:mirrorgate:mirrorgate',
  groups: ['system:serviceaccounts', 'system:serviceaccounts:mirrorgate'],
};

/** A line of the file that `--token-auth-file` names. The API server adds the group system:authenticated itself. */
export function tokenLine(user: KubeUser, token: string): string {
  return `${token},${user.name},${user.name},"${user.groups.join(',')}"\n`;
}
