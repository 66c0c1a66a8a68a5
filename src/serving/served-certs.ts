import type { KeyPair } from './key-pair.js';
import { loadCerts, type CertSource, type LoadedCerts } from './load-certs.js';
import type { ServingError } from './serving-error.js';
import { watchCerts } from './tls-reload.js';

/** Where a TLS server gets its pair, and how it comes by a newer one. */
export interface ServedCerts {
  /** The pair to begin with; waits for it where it has yet to be made. */
  first(): Promise<LoadedCerts>;
  /** Tells of every newer pair from now on. */
  follow(options: FollowCertsOptions): { stop(): Promise<void> };
}

export interface FollowCertsOptions {
  /** The pair being served now. */
  readonly current: LoadedCerts;
  /** Serves a pair to every new connection. */
  readonly apply: (pair: KeyPair) => void;
  readonly onReloaded: (certs: LoadedCerts) => void;
  /** What came cannot be served; the pair in use stays. */
  readonly onFault: (fault: ServingError) => void;
  /** What is served has come to its end. */
  readonly onExpired: (fault: ServingError) => void;
}

/** Files that somebody else writes, and renews. */
export function certFiles(source: CertSource): ServedCerts {
  return {
    first: () => loadCerts(source),
    follow: (options) => watchCerts({ source, ...options }),
  };
}
