/** What a check finds. A passing check may have a detail too, such as a policy file that is broken while its last good
 * version stays in force. Details are shown to anyone who can reach the probe: no secrets. */
export interface CheckResult {
  readonly ok: boolean;
  readonly detail?: string;
}

export type HealthCheck = () => CheckResult | Promise<CheckResult>;

export interface HealthReport {
  readonly ok: boolean;
  /** By name, in order of registration. */
  readonly checks: Readonly<Record<string, CheckResult>>;
}

export interface HealthOptions {
  /** Monotonic clock in ms. */
  readonly now?: () => number;
  /** A check that takes longer, in ms, has failed: it is stuck. Default 1000. */
  readonly checkTimeoutMs?: number;
  /** An event loop that takes longer for one turn, in ms, has failed. Default 2000. */
  readonly maxLoopTurnMs?: number;
}

/**
 * What the process says of itself to probes: alive (else it should be restarted) and ready (else it should get no
 * requests). Liveness watches the event loop and the registered loops of the program; it does not look at anything
 * outside of the process, which no restart would mend.
 */
export class Health {
  readonly #liveness = new Map<string, HealthCheck>();
  readonly #readiness = new Map<string, HealthCheck>();
  readonly #now: () => number;
  readonly #checkTimeoutMs: number;
  readonly #maxLoopTurnMs: number;
  #stopping = false;

  constructor(options: HealthOptions = {}) {
    this.#now = options.now ?? (() => performance.now());
    this.#checkTimeoutMs = options.checkTimeoutMs ?? 1000;
    this.#maxLoopTurnMs = options.maxLoopTurnMs ?? 2000;
  }

  addLiveness(name: string, check: HealthCheck): void {
    this.#liveness.set(name, check);
  }

  addReadiness(name: string, check: HealthCheck): void {
    this.#readiness.set(name, check);
  }

  /** Registers a loop that must come round again within `maxAgeMs`; returns what it calls each time it does. */
  addHeartbeat(name: string, maxAgeMs: number): () => void {
    let last = this.#now();
    this.addLiveness(name, () => {
      const age = this.#now() - last;
      return age <= maxAgeMs ? { ok: true } : { ok: false, detail: `no sign of life for ${seconds(age)}` };
    });
    return () => {
      last = this.#now();
    };
  }

  /** From now on not ready, for good. */
  beginStopping(): void {
    this.#stopping = true;
  }

  async live(): Promise<HealthReport> {
    const [loop, checks] = await Promise.all([this.#loopTurn(), this.#run(this.#liveness)]);
    return report([['event loop', loop], ...checks]);
  }

  async ready(): Promise<HealthReport> {
    const checks = await this.#run(this.#readiness);
    // Read last, so that no answer that leaves after the stop began says ready.
    if (this.#stopping) checks.unshift(['running', { ok: false, detail: 'shutting down' }]);
    return report(checks);
  }

  async #loopTurn(): Promise<CheckResult> {
    const started = this.#now();
    await new Promise((resolve) => setTimeout(resolve, 0));
    const taken = this.#now() - started;
    return taken <= this.#maxLoopTurnMs
      ? { ok: true }
      : { ok: false, detail: `one turn took ${seconds(taken)}` };
  }

  async #run(checks: ReadonlyMap<string, HealthCheck>): Promise<[string, CheckResult][]> {
    return Promise.all(
      [...checks].map(async ([name, check]): Promise<[string, CheckResult]> => {
        try {
          return [name, await this.#bounded(check)];
        } catch (error) {
          return [name, { ok: false, detail: error instanceof Error ? error.message : 'the check failed' }];
        }
      }),
    );
  }

  async #bounded(check: HealthCheck): Promise<CheckResult> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<CheckResult>((resolve) => {
      timer = setTimeout(() => {
        resolve({ ok: false, detail: `no answer within ${seconds(this.#checkTimeoutMs)}` });
      }, this.#checkTimeoutMs);
    });
    try {
      return await Promise.race([check(), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function report(checks: readonly (readonly [string, CheckResult])[]): HealthReport {
  return { ok: checks.every(([, { ok }]) => ok), checks: Object.fromEntries(checks) };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
