/** What clients are told to trust. */
export type InjectedBundles =
  /** There is no webhook configuration, so nobody calls. */
  | { readonly kind: 'absent' }
  /** Somebody else writes the bundles. */
  | { readonly kind: 'managed-elsewhere'; /** One line: who, and how that is known. */ readonly by: string }
  /** One PEM text for each webhook, empty where it has none. */
  | { readonly kind: 'present'; readonly bundles: readonly string[] };

/** Where clients read which authorities to trust: the `caBundle`s of a webhook configuration. */
export interface BundleTarget {
  /** For messages: `ValidatingWebhookConfiguration mirrorgate`. */
  readonly name: string;
  /** What to do when it is absent. */
  readonly absentHint: string;
  /** `undefined` while it is not known. The same object until something changes. */
  current(): InjectedBundles | undefined;
  /** What it returns ends the calls. */
  onChange(listener: () => void): () => void;
  /**
   * Writes one bundle for every webhook. `conflict`: it has changed since; that will be told through `onChange`.
   * Rejects when it cannot be written; a `hint` of the error is for people.
   */
  inject(bundle: string): Promise<'injected' | 'conflict'>;
}
