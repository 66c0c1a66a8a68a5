import type { Logger } from 'pino';
import type { AdmissionObserver } from '../admission/admission-app.js';
import type { Reconciliation } from '../controller/controller.js';
import type { FleetEvent } from '../distribution/fleet-event.js';
import type { ServingError } from '../serving/serving-error.js';
import { newsTeller } from './news.js';

/** What happens in every long-running mode, for a log or a person. */
export interface CommonEvents extends AdmissionObserver {
  /** What was rendered in a run of the controller. */
  readonly onRendered: (result: Omit<Reconciliation, 'admission'>) => void;
  readonly onFleet: (event: FleetEvent) => void;
  /** A file was read: the faults in it, none when it is in force. */
  readonly onFile: (
    what: 'policy' | 'inventory' | 'pull secret',
    path: string,
    faults: readonly string[],
  ) => void;
  readonly onServing: (fault: ServingError) => void;
  readonly onCertsReloaded: (expires: Date) => void;
}

/** Writes to a log what happens in every mode: each thing once, when it changes. */
export function logEvents(log: Logger): CommonEvents {
  const isNews = newsTeller();
  return {
    onRendered({ rendered, nodes, insecureFaults }) {
      for (const { text, fault } of insecureFaults) {
        if (isNews(`insecure ${text}`, fault))
          log.warn({ value: text }, `insecureRegistries: "${text}" ${fault}`);
      }
      for (const finding of rendered.findings) {
        if (isNews(`rendering ${finding.message}`, true)) log.warn({ code: finding.code }, finding.message);
      }
      const { files, revision } = rendered.desired;
      if (isNews('desired state', [revision, nodes])) {
        log.info(
          { revision, registries: [...files.keys()], nodes },
          `desired state: ${count(files.size, 'registry', 'registries')} for ${count(nodes, 'node', 'nodes')}`,
        );
      }
    },

    onFleet(event) {
      switch (event.type) {
        case 'syncing':
          log.debug({ node: event.node, revision: event.revision }, `${event.node}: syncing`);
          break;
        case 'synced': {
          const { written, removed, unchanged, foreign } = event.result;
          log.info(
            {
              node: event.node,
              revision: event.revision,
              written,
              removed,
              unchanged,
              foreign,
              durationMs: Math.round(event.duration),
            },
            `${event.node}: in sync (${written.length} written, ${removed.length} removed, ${unchanged} unchanged)`,
          );
          break;
        }
        case 'failed':
          log.error(
            {
              node: event.node,
              revision: event.revision,
              class: event.error.class,
              attempts: event.attempts,
              retryInMs: Math.round(event.retryIn),
            },
            `${event.node}: ${event.error.message}; ${event.error.hint}; next try in ${Math.round(event.retryIn / 1000)} s`,
          );
          break;
        case 'host-key-pinned':
          log.info(
            { node: event.node, fingerprint: event.fingerprint },
            `${event.node}: host key pinned (${event.fingerprint})`,
          );
          break;
      }
    },

    onFile(what, path, faults) {
      if (faults.length === 0) log.info({ path }, `${what} ${path} was read again and is in force`);
      for (const fault of faults)
        log.error({ path }, `${what} ${path}: ${fault}; the last good one stays in force`);
    },

    onReviewed({ uid, kind, name, operation, outcome, findings, exempted, dryRun, durationMs }) {
      log.info(
        {
          uid,
          kind,
          mirrorSet: name,
          operation,
          outcome,
          dryRun,
          rules: findings.map(({ rule, action }) => `${action} ${rule}`),
          exempted: exempted.length,
          durationMs,
        },
        `${operation} of ${kind} "${name}": ${outcome}`,
      );
    },

    onRefused(code, message) {
      log.warn({ code }, `refused a request: ${message}`);
    },

    onInternalFault(error) {
      log.error({ err: error }, 'internal fault');
    },

    onServing(fault) {
      log.warn({ code: fault.code }, `${fault.message}; ${fault.hint}`);
    },

    onCertsReloaded(expires) {
      log.info({ expires: expires.toISOString() }, 'certificate reloaded');
    },
  };
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
