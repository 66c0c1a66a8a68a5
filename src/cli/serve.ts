import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { createKubeClient } from '../cluster/kube-client.js';
import { loadKubeConfig } from '../cluster/kube-config.js';
import type { BindAddress } from '../serving/bind-address.js';
import { createMetrics } from '../serving/metrics.js';
import { untilSignal } from '../serving/shutdown.js';
import { CliError, exitCodes } from './cli-error.js';
import type { Io } from './io.js';
import type { PolicyFlags } from './load-policy.js';
import { logClusterEvents } from './log-cluster-events.js';
import type { LogFlags } from './log-flags.js';
import { createLogger } from './logger.js';
import type { NamedObject } from './long-running-commands.js';
import { readText } from './read-inputs.js';
import { runServe } from './run-serve.js';
import { serveUntilStopped } from './serve-until-stopped.js';

export interface ServeFlags extends PolicyFlags, LogFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly identity?: string;
  readonly webhookConfiguration: string;
  readonly service: string;
  /** Days. */
  readonly caLifetime: number;
  readonly certLifetime: number;
  readonly pullSecret: NamedObject | 'none';
  readonly sshKey: NamedObject;
  readonly windowsInstances: NamedObject | 'none';
  readonly wmcoHostKeys: NamedObject | 'none';
  readonly bind: BindAddress;
  readonly metricsBind: BindAddress;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly clientCa?: string;
  readonly concurrency: number;
  /** Seconds. */
  readonly drainTime: number;
}

/** The manifests give a Role to this name alone. */
const tlsSecret = 'mirrorgate-tls';
const day = 24 * 60 * 60 * 1000;

/** `mirrorgate serve`: gate and courier for a cluster, until a signal. */
export async function serve(io: Io, flags: ServeFlags): Promise<number> {
  if (flags.certLifetime > flags.caLifetime) {
    throw new CliError(
      `--cert-lifetime ${flags.certLifetime} is longer than --ca-lifetime ${flags.caLifetime}: no certificate outlives its authority`,
      { hint: 'give --ca-lifetime more days' },
    );
  }
  const log = createLogger(io, flags);
  const watch = untilSignal({ source: process, exit: (code) => process.exit(code) });
  const starting = new AbortController();
  try {
    const { client, namespace } = await connect(io, flags);
    const identity = `${flags.identity ?? io.env['POD_NAME'] ?? hostname()}_${randomBytes(4).toString('hex')}`;
    log.info({ server: client.server, namespace, identity }, `cluster at ${client.server}, as ${identity}`);
    const { tlsCert, tlsKey } = flags;
    const running = runServe({
      client,
      namespace,
      identity,
      policy: flags.policy,
      profile: flags.profile,
      pullSecret: orNone(flags.pullSecret),
      sshKey: flags.sshKey,
      windowsInstances: orNone(flags.windowsInstances),
      operatorPins: orNone(flags.wmcoHostKeys),
      certs:
        tlsCert !== undefined && tlsKey !== undefined
          ? { certFile: tlsCert, keyFile: tlsKey }
          : {
              secret: tlsSecret,
              webhookConfiguration: flags.webhookConfiguration,
              service: flags.service,
              lives: { ca: flags.caLifetime * day, leaf: flags.certLifetime * day },
            },
      bind: flags.bind,
      metricsBind: flags.metricsBind,
      clientCa: flags.clientCa === undefined ? undefined : await readText(flags.clientCa),
      concurrency: flags.concurrency,
      metrics: createMetrics(),
      now: io.now,
      signal: starting.signal,
      events: logClusterEvents(log),
    });
    await serveUntilStopped(running, {
      log,
      signals: watch,
      drainMs: flags.drainTime * 1000,
      // The certificate may be waited for as long as the API server is away.
      abandon: () => {
        starting.abort();
      },
    });
    return exitCodes.ok;
  } finally {
    watch.release();
  }
}

async function connect(io: Io, { kubeconfig, context, namespace }: ServeFlags) {
  try {
    const config = await loadKubeConfig({ kubeconfig, context });
    return {
      client: await createKubeClient(config),
      namespace: namespace ?? io.env['POD_NAMESPACE'] ?? (await ownNamespace(config)),
    };
  } catch (error) {
    throw new CliError(`no cluster: ${error instanceof Error ? error.message : String(error)}`, {
      hint: 'name a kubeconfig with --kubeconfig; standalone mode needs no cluster',
      cause: error,
    });
  }
}

/** As a pod is told, then as the kubeconfig says. */
async function ownNamespace(config: Awaited<ReturnType<typeof loadKubeConfig>>): Promise<string> {
  try {
    return (await readFile('/var/run/secrets/kubernetes.io/serviceaccount/namespace', 'utf8')).trim();
  } catch {
    return config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
  }
}

function orNone(object: NamedObject | 'none'): NamedObject | undefined {
  return object === 'none' ? undefined : object;
}
