/** What the store of the shared certificates holds. */
export interface StoredCerts {
  /** By key, as `certDataOf` writes it; whatever it is, `parseCertData` judges it. Secret material. */
  readonly data: Readonly<Record<string, string>>;
  /** Changes with every change of the data. */
  readonly version: string;
}

export type SaveResult =
  | { readonly kind: 'saved'; readonly version: string }
  /** Somebody else was first; what they saved will be told through `onChange`. */
  | { readonly kind: 'conflict' };

/** Where the replicas share their certificates: a Secret. */
export interface CertStore {
  /** For messages: `Secret mirrorgate/mirrorgate-tls`. */
  readonly name: string;
  /** `undefined` while it is not known, `null` when nothing is there. */
  current(): StoredCerts | null | undefined;
  /** What it returns ends the calls. */
  onChange(listener: () => void): () => void;
  /**
   * Writes only over what is known. Rejects when the store cannot be written; a `hint` of the error is for people.
   *
   * @param version that of what is to be replaced; `undefined` when nothing is there
   */
  save(data: Readonly<Record<string, string>>, version: string | undefined): Promise<SaveResult>;
}
