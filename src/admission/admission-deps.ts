import type { InsecureRegistries } from '../mirrors/insecure-registries.js';
import type { MirrorSetIndex } from '../mirrors/mirror-set-index.js';
import type { MirrorPolicy } from '../policy/policy.js';
import type { AdmissionObserver } from './admission-observer.js';

/** Where the gate gets what it judges by. All are asked anew at each request, so that the newest state holds. */
export interface AdmissionDeps {
  policy(): MirrorPolicy;
  /** Every mirror set there is; `undefined` as long as they are not known. */
  index(): MirrorSetIndex | undefined;
  insecure(): InsecureRegistries;
  now(): Date;
  /** Monotonic, in ms: durations and deadlines. Default: the process's own. */
  clock?(): number;
  readonly observer: AdmissionObserver;
}
