import type { Courier } from '../controller/controller.js';
import type { FleetEvent } from '../distribution/fleet-event.js';
import { Fleet, type FleetOptions } from '../distribution/fleet.js';
import type { NodeStatus } from '../distribution/node-status.js';
import type { TargetNode } from '../distribution/target-node.js';
import type { DesiredState } from '../hosts/desired-state.js';
import { fencedOpen } from './fenced-open.js';

export interface LeadingFleetOptions extends Omit<FleetOptions, 'observe'> {
  /** True while this process surely holds the Lease. */
  readonly holds: () => boolean;
  /** A revision is wanted from now on, or will be soon: told before any node is brought to it. */
  readonly onWanted: (revision: string) => Promise<void> | void;
  /** Told of what happens at nodes while this process leads. */
  readonly onEvent: (event: FleetEvent) => void;
}

/** How long sessions may take to finish their file when the Lease is lost; others may take it 5 s after that, in ms. */
const graceWhenLost = 3_000;

/**
 * A fleet while this process leads, and none while it does not: every replica knows what nodes should hold, one brings
 * it to them. Each term of leading begins with a new fleet, which learns from the nodes themselves what they hold.
 */
export class LeadingFleet implements Courier {
  readonly #options: LeadingFleetOptions;
  #fleet: Fleet | undefined;
  #desired: DesiredState | undefined;
  #nodes: readonly TargetNode[] | undefined;
  /** Ends of terms that are still being wound down. */
  #ending: Promise<void> = Promise.resolve();
  #term = 0;

  constructor(options: LeadingFleetOptions) {
    this.#options = options;
  }

  announce(revision: string): void {
    if (this.#fleet !== undefined) void this.#options.onWanted(revision);
  }

  async setDesired(desired: DesiredState): Promise<void> {
    this.#desired = desired;
    const fleet = this.#fleet;
    if (fleet === undefined) return;
    await this.#options.onWanted(desired.revision);
    // A newer state may have come meanwhile, or the term have ended.
    if (this.#fleet === fleet && this.#desired === desired) fleet.setDesired(desired);
  }

  setNodes(nodes: readonly TargetNode[]): void {
    this.#nodes = nodes;
    this.#fleet?.setNodes(nodes);
  }

  /** Begins to distribute what is known, once the last term of this process has quite ended. */
  async lead(): Promise<void> {
    this.#term += 1;
    const term = this.#term;
    await this.#ending;
    if (this.#term !== term || this.#fleet !== undefined) return;
    const fleet = new Fleet({
      ...this.#options,
      open: fencedOpen(this.#options.open, this.#options.holds),
      observe: (event) => {
        if (this.#fleet === fleet && this.#options.holds()) this.#options.onEvent(event);
      },
    });
    this.#fleet = fleet;
    if (this.#desired !== undefined) await this.setDesired(this.#desired);
    if (this.#fleet === fleet && this.#nodes !== undefined) fleet.setNodes(this.#nodes);
  }

  /**
   * Ends the term: nothing more is begun, sessions finish the file they are at, and what does not end in time is cut
   * off. Resolves when nothing of it is under way.
   */
  standDown(grace = graceWhenLost): Promise<void> {
    this.#term += 1;
    const fleet = this.#fleet;
    this.#fleet = undefined;
    if (fleet !== undefined) {
      this.#ending = Promise.all([this.#ending, fleet.stop({ grace })]).then(() => undefined);
    }
    return this.#ending;
  }

  /** Where each node stands; `undefined` while this process does not lead. */
  status(): readonly NodeStatus[] | undefined {
    return this.#fleet?.status();
  }
}
