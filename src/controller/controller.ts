import type { TargetNode } from '../distribution/target-node.js';
import type { DesiredState } from '../hosts/desired-state.js';
import { renderHosts, type RenderedHosts } from '../hosts/render.js';
import { parsePullSecret } from '../hosts/pull-secret.js';
import {
  noInsecureRegistries,
  parseInsecureRegistries,
  type InsecureRegistries,
} from '../mirrors/insecure-registries.js';
import { indexMirrorSets, type MirrorSetIndex } from '../mirrors/mirror-set-index.js';
import { mergeRegistries } from '../mirrors/registry-view.js';
import type { MirrorPolicy } from '../policy/policy.js';
import type { AdmissionControl } from './admission-control.js';
import type { Admission } from './admit.js';
import { debounce, type Debounced } from './debounce.js';
import { oneAtATime } from './one-at-a-time.js';
import type { MirrorSetSource, NodeSource, PolicySource, SecretSource } from './sources.js';

/** Takes what nodes should hold to the nodes: a fleet, or whoever decides when there is one. */
export interface Courier {
  /**
   * A change has been seen that leads to another revision. Told at once, before the sources are quiet, so that nobody
   * is told that all nodes hold what is wanted while that is about to change.
   */
  announce?(revision: string): void;
  setDesired(desired: DesiredState): void | Promise<void>;
  setNodes(nodes: readonly TargetNode[]): void;
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
  readonly admission: AdmissionControl;
  readonly courier: Courier;
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
  #index: MirrorSetIndex | undefined;
  #insecure: InsecureRegistries = noInsecureRegistries;
  #revision: string | undefined;
  #announced = false;
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
    const { mirrorSets, nodes, policy, pullSecret, admission } = this.#options;
    await admission.load();
    if (this.#stopped) return;
    for (const source of [mirrorSets, nodes, policy, pullSecret]) {
      if (source === undefined) continue;
      this.#unsubscribe.push(
        source.onChange(() => {
          // Nodes have no part in the revision.
          if (source !== nodes) this.#announce();
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

  /** Once a burst: a burst that ends where it began is set right by the run that follows it. */
  #announce(): void {
    const { courier, onFault } = this.#options;
    if (courier.announce === undefined || this.#announced) return;
    try {
      const revision = this.#derive()?.rendered.desired.revision;
      if (revision === undefined || revision === this.#revision) return;
      this.#announced = true;
      courier.announce(revision);
    } catch (error) {
      onFault(error);
    }
  }

  async #run(): Promise<void> {
    const { nodes, admission: control, courier, onReconciled } = this.#options;
    this.#announced = false;
    const derived = this.#derive();
    const targets = nodes.current();
    if (derived === undefined || targets === undefined) return;

    const { admission, rendered, policy, insecure, insecureFaults } = derived;
    this.#revision = rendered.desired.revision;
    this.#index = indexMirrorSets(admission.admitted);
    this.#insecure = insecure;
    control.commit(admission.admitted);

    // The state first: a node that is new is then brought to it at once.
    await courier.setDesired(rendered.desired);
    courier.setNodes(targets);
    onReconciled({ admission, rendered, nodes: targets.length, policy, insecureFaults });
    await control.save();
  }

  /** What the sources come to, if all that it takes is known: what is not must not be mistaken for nothing. */
  #derive(): Derived | undefined {
    const { mirrorSets, policy: policies, pullSecret, admission: control, now } = this.#options;
    const snapshot = mirrorSets.current();
    const policy = policies.current();
    const secret = policy?.credentials === true && pullSecret !== undefined ? pullSecret.current() : null;
    if (snapshot === undefined || policy === undefined || secret === undefined) return undefined;

    const { registries: insecure, faults: insecureFaults } = parseInsecureRegistries(
      snapshot.insecureRegistries,
    );
    const admission = control.decide(snapshot, { policy, insecure, now: now() });
    const rendered = renderHosts(mergeRegistries(admission.admitted, policy.view), {
      credentials: secret === null ? undefined : parsePullSecret(secret),
      insecure,
    });
    return { admission, rendered, policy, insecure, insecureFaults };
  }
}

interface Derived extends Omit<Reconciliation, 'nodes'> {
  readonly insecure: InsecureRegistries;
}
