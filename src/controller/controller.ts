import type { Fleet } from '../distribution/fleet.js';
import { renderHosts, type RenderedHosts } from '../hosts/render.js';
import { parsePullSecret } from '../hosts/pull-secret.js';
import {
  noInsecureRegistries,
  parseInsecureRegistries,
  type InsecureRegistries,
} from '../mirrors/insecure-registries.js';
import { indexMirrorSets, type MirrorSetIndex } from '../mirrors/mirror-set-index.js';
import { keyOf, type MirrorSet } from '../mirrors/mirror-set.js';
import { mergeRegistries } from '../mirrors/registry-view.js';
import type { MirrorPolicy } from '../policy/policy.js';
import { admit, type Admission } from './admit.js';
import { debounce, type Debounced } from './debounce.js';
import { oneAtATime } from './one-at-a-time.js';
import type { MirrorSetSource, NodeSource, PolicySource, SecretSource } from './sources.js';

/** Remembers what was let in, so that a restart does not forget the last good version of a set that is denied now. */
export interface AdmittedStore {
  load(): Promise<readonly MirrorSet[]>;
  save(sets: readonly MirrorSet[]): Promise<void>;
}

export interface Reconciliation {
  readonly admission: Admission;
  readonly rendered: RenderedHosts;
  readonly nodes: number;
  /** The policy that all of it was done under. */
  readonly policy: MirrorPolicy;
  /** Items of `insecureRegistries` that are no reference. */
  readonly insecureFaults: readonly { readonly text: string; readonly fault: string }[];
}

export interface ControllerOptions {
  readonly mirrorSets: MirrorSetSource;
  readonly nodes: NodeSource;
  readonly policy: PolicySource;
  /** Absent: no credentials are rendered. */
  readonly pullSecret?: SecretSource | undefined;
  readonly admitted: AdmittedStore;
  readonly fleet: Pick<Fleet, 'setDesired' | 'setNodes'>;
  readonly now: () => Date;
  readonly onReconciled: (result: Reconciliation) => void;
  /** An internal fault; the last desired state stays in force. */
  readonly onFault: (error: unknown) => void;
  /** How long the sources must be quiet before a change is acted on, in milliseconds. */
  readonly quietMs?: number;
}

const defaultQuietMs = 500;
/** A source that never rests is acted on this often all the same. */
const longestFactor = 10;

/**
 * The loop: what the sources say is judged, what passes is rendered, and the result is handed to the fleet. One run
 * at a time; changes during a run lead to one more.
 */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #debounced: Debounced;
  readonly #runs = oneAtATime(() => this.#runSafely());
  readonly #unsubscribe: (() => void)[] = [];
  #inForce: readonly MirrorSet[] = [];
  #index: MirrorSetIndex | undefined;
  #insecure: InsecureRegistries = noInsecureRegistries;
  #stopped = false;

  constructor(options: ControllerOptions) {
    const quietMs = options.quietMs ?? defaultQuietMs;
    this.#options = options;
    this.#debounced = debounce(() => void this.reconcile(), quietMs, quietMs * longestFactor);
  }

  /** The sets in force, for judging others against; `undefined` before the first run. */
  index(): MirrorSetIndex | undefined {
    return this.#index;
  }

  insecure(): InsecureRegistries {
    return this.#insecure;
  }

  /** Remembers what was in force, follows the sources, and makes the first run. */
  async start(): Promise<void> {
    const { mirrorSets, nodes, policy, pullSecret, admitted } = this.#options;
    this.#inForce = await admitted.load();
    if (this.#stopped) return;
    for (const source of [mirrorSets, nodes, policy, pullSecret]) {
      if (source === undefined) continue;
      this.#unsubscribe.push(
        source.onChange(() => {
          this.#debounced.trigger();
        }),
      );
    }
    await this.reconcile();
  }

  /** Makes a run now, or one more after the run that is under way. Never rejects. */
  reconcile(): Promise<void> {
    return this.#runs();
  }

  /** Follows the sources no more; resolves when the run under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#debounced.cancel();
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    await this.#runs();
  }

  async #runSafely(): Promise<void> {
    if (this.#stopped) return;
    try {
      await this.#run();
    } catch (error) {
      this.#options.onFault(error);
    }
  }

  async #run(): Promise<void> {
    const { mirrorSets, nodes, policy, pullSecret, admitted, fleet, now, onReconciled } = this.#options;
    const snapshot = mirrorSets.current();
    const currentPolicy = policy.current();
    const targets = nodes.current();
    const secret =
      currentPolicy?.credentials === true && pullSecret !== undefined ? pullSecret.current() : null;
    // What is not known yet must not be mistaken for nothing: that would take mirrors, nodes or credentials away.
    if (
      snapshot === undefined ||
      currentPolicy === undefined ||
      targets === undefined ||
      secret === undefined
    )
      return;

    const { registries: insecure, faults: insecureFaults } = parseInsecureRegistries(
      snapshot.insecureRegistries,
    );
    const asked = snapshot.complete ? snapshot.sets : withHeld(snapshot.sets, this.#inForce);
    const admission = admit(asked, this.#inForce, { policy: currentPolicy, insecure, now: now() });
    const rendered = renderHosts(mergeRegistries(admission.admitted, currentPolicy.view), {
      credentials: secret === null ? undefined : parsePullSecret(secret),
      insecure,
    });

    this.#inForce = admission.admitted;
    this.#index = indexMirrorSets(admission.admitted);
    this.#insecure = insecure;

    // The state first: a node that is new is then brought to it at once.
    fleet.setDesired(rendered.desired);
    fleet.setNodes(targets);
    onReconciled({ admission, rendered, nodes: targets.length, policy: currentPolicy, insecureFaults });
    await admitted.save(admission.admitted);
  }
}

/** What is asked for, and what is in force and not named there: it may be in a part that cannot be read. */
function withHeld(sets: readonly MirrorSet[], inForce: readonly MirrorSet[]): readonly MirrorSet[] {
  const named = new Set(sets.map(keyOf));
  return [...sets, ...inForce.filter((set) => !named.has(keyOf(set)))];
}
