import type { InjectedBundles } from './bundle-target.js';
import { readBundle } from './pem-bundle.js';

/** Remembers since when clients have been told, without a break, to trust which authority. */
export class BundleTrust {
  #since: ReadonlyMap<string, number> = new Map();
  #observed: InjectedBundles | undefined;

  /** Looks at what clients are told now. Only what every webhook is told counts. */
  observe(injected: InjectedBundles | undefined, now: number): void {
    if (injected === this.#observed) return;
    this.#observed = injected;
    const [first = [], ...others] =
      injected?.kind === 'present' ? injected.bundles.map((bundle) => readBundle(bundle).certs) : [];
    const everywhere = first.filter((cert) => others.every((certs) => certs.includes(cert)));
    this.#since = new Map(everywhere.map((cert) => [cert, this.#since.get(cert) ?? now]));
  }

  /** In ms since the epoch; `undefined` when clients are not told to trust it. */
  since(caCert: string): number | undefined {
    return this.#since.get(caCert);
  }
}
