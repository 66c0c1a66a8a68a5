import type { Source } from '../controller/sources.js';
import type { Courier } from '../controller/controller.js';
import type { FleetEvent } from '../distribution/fleet-event.js';
import type { FleetOptions } from '../distribution/fleet.js';
import type { NodeStatus } from '../distribution/node-status.js';
import type { TargetNode } from '../distribution/target-node.js';
import type { DesiredState } from '../hosts/desired-state.js';
import type { EventRecorder } from './event-recorder.js';
import type { KubeObject } from './kube-object.js';
import { LeadingFleet } from './leading-fleet.js';
import { conditionOf, nodeCondition, revisionOf } from './node-condition.js';
import { nodeEvent } from './node-event.js';
import type { NodeProblem } from './node-problem.js';
import type { NodeStatusWriter } from './node-status-writer.js';

export interface ClusterCourierOptions extends Pick<FleetOptions, 'open' | 'concurrency'> {
  /** True while this process surely holds the Lease. */
  readonly holds: () => boolean;
  /** The Windows Nodes. */
  readonly nodes: Source<ReadonlyMap<string, KubeObject>>;
  readonly problems: () => readonly NodeProblem[];
  readonly paused: () => ReadonlySet<string>;
  readonly writer: NodeStatusWriter;
  readonly recorder: Pick<EventRecorder, 'record'>;
  /** Told of what happens at nodes while this process leads, and where all of them stand. */
  readonly onFleet: (event: FleetEvent, nodes: readonly NodeStatus[]) => void;
}

/**
 * Distributes while this process leads, and shows on each Node where it stands: the condition `MirrorConfigSynced`,
 * the revision as an annotation, and Events.
 */
export class ClusterCourier implements Courier {
  readonly #options: ClusterCourierOptions;
  readonly #fleet: LeadingFleet;
  /** The newest revision that is known to be wanted, though nothing may have been brought yet. */
  #wanted: string | undefined;

  constructor(options: ClusterCourierOptions) {
    this.#options = options;
    this.#fleet = new LeadingFleet({
      open: options.open,
      concurrency: options.concurrency,
      holds: options.holds,
      onWanted: (revision) => this.#prepare(revision),
      onEvent: (event) => {
        this.#happened(event);
      },
    });
  }

  announce(revision: string): void {
    this.#fleet.announce(revision);
  }

  setDesired(desired: DesiredState): Promise<void> {
    return this.#fleet.setDesired(desired);
  }

  setNodes(nodes: readonly TargetNode[]): void {
    this.#fleet.setNodes(nodes);
    this.refresh();
  }

  async lead(): Promise<void> {
    await this.#fleet.lead();
    this.refresh();
  }

  /** Resolves when nothing is under way at any node. */
  standDown(grace?: number): Promise<void> {
    // What is on its way to the API server still holds; what another replica writes must not be undone from here.
    this.#options.writer.clear();
    return this.#fleet.standDown(grace);
  }

  /** Shows where every node stands. Call it when Nodes, their problems or their pauses have changed. */
  refresh(): void {
    const nodes = this.#options.nodes.current();
    const status = this.#fleet.status();
    if (nodes === undefined || status === undefined || !this.#options.holds()) return;
    const byName = new Map(status.map((one) => [one.name, one]));
    const problems = new Map(this.#options.problems().map((problem) => [problem.node, problem]));
    for (const [name, node] of nodes) this.#show(name, node, byName.get(name), problems.get(name));
  }

  async #prepare(revision: string): Promise<void> {
    this.#wanted = revision;
    this.refresh();
    await this.#options.writer.urgent(this.#options.nodes.current()?.keys() ?? []);
  }

  #happened(event: FleetEvent): void {
    const { nodes, recorder, onFleet } = this.#options;
    const status = this.#fleet.status() ?? [];
    onFleet(event, status);
    const node = nodes.current()?.get(event.node);
    // An instance that has not joined yet has no Node to show anything on.
    if (node === undefined) return;
    const told = nodeEvent(event);
    if (told !== undefined) {
      recorder.record({
        regarding: { apiVersion: 'v1', kind: 'Node', name: event.node },
        ...told,
      });
    }
    const problem = this.#options.problems().find((one) => one.node === event.node);
    const own = status.find(({ name }) => name === event.node);
    this.#show(event.node, node, own, problem);
  }

  #show(
    name: string,
    node: KubeObject,
    status: NodeStatus | undefined,
    problem: NodeProblem | undefined,
  ): void {
    const condition = nodeCondition({
      wanted: this.#wanted,
      status,
      problem,
      paused: this.#options.paused().has(name),
      annotated: revisionOf(node),
      present: conditionOf(node),
    });
    if (condition === undefined) return;
    this.#options.writer.set(name, { condition, revision: status?.held });
  }
}
