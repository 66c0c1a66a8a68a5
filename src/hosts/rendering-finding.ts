/** Something about rendering that a person should act on; everything else was rendered all the same. Never holds a secret. */
export type RenderingFinding =
  /** `NeverContactSource`, but no mirror is left to go to: no image of the registry can be pulled on Windows. */
  | { readonly code: 'never-contact-unreachable'; readonly registry: string; readonly message: string }
  /** Windows cannot hold a directory of the registry's name, so nothing is rendered for it. */
  | { readonly code: 'registry-unnameable'; readonly registry: string; readonly message: string }
  /** An entry of the pull secret cannot be expressed as a header. */
  | { readonly code: 'credential-unusable'; readonly key: string; readonly message: string }
  /** The pull secret as a whole cannot be read. */
  | { readonly code: 'pull-secret-malformed'; readonly message: string };
