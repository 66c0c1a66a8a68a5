/** The content of a hosts.toml that tells whether it is whole, of which registry and of which revision it is. */
export function stampedFile(registry: string, revision: number, bytes: number): string;

/** Reads a stamp: the revision, or `undefined` for a file that is not whole or not this registry's. */
export function revisionStamped(registry: string, content: string): number | undefined;
