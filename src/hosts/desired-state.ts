/** What every Windows node must hold below its registries directory. Secret material: file contents may carry credentials. */
export interface DesiredState {
  /** Registry directory (`quay.io`, `mirror.local_5000_`) → content of its `hosts.toml`, sorted by directory. */
  readonly files: ReadonlyMap<string, string>;
  /** SHA-256 (hex) over sorted directories and contents: equal states have equal revisions. */
  readonly revision: string;
}

/** The one file that mirrorgate keeps in each registry directory. */
export const hostsFileName = 'hosts.toml';
