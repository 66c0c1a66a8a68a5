import type { Logger } from 'pino';
import type { ApiError } from '../cluster/api-error.js';
import type { NodeProblem } from '../cluster/node-problem.js';
import type { ObjectFault } from '../cluster/object-fault.js';
import type { ExistingVerdict } from '../controller/judge-existing.js';
import { describeFinding } from '../policy/finding.js';
import type { ManagedCertsObserver } from '../serving/managed-certs.js';
import { logEvents, type CommonEvents } from './log-events.js';
import { newsTeller } from './news.js';

/** What happens in cluster mode, for a log or a person. */
export interface ClusterEvents extends CommonEvents {
  /** The API server, asked for or told something, does not do it; `undefined` when it does again. */
  readonly onApi: (what: string, fault: ApiError | undefined) => void;
  readonly onObjectFaults: (source: string, faults: readonly ObjectFault[]) => void;
  readonly onNodeProblems: (problems: readonly NodeProblem[]) => void;
  readonly onAcquired: () => void;
  readonly onLost: (why: string) => void;
  readonly onLeader: (identity: string | undefined) => void;
  /** All sets of the cluster were judged. */
  readonly onJudged: (verdicts: readonly ExistingVerdict[]) => void;
  readonly onEventsDropped: (count: number) => void;
  readonly certs: ManagedCertsObserver;
}

/** Writes what happens in cluster mode to a log: each thing once, when it changes. */
export function logClusterEvents(log: Logger): ClusterEvents {
  const isNews = newsTeller();
  return {
    ...logEvents(log),

    onApi(what, fault) {
      if (fault === undefined) log.info({ what }, `${what}: works again`);
      else log.warn({ what, code: fault.code }, `${what}: ${fault.message}; ${fault.hint}`);
    },

    onObjectFaults(source, faults) {
      if (faults.length === 0) log.info({ source }, `${source}: can be read again`);
      for (const { object, path, message } of faults)
        log.error({ object, path }, `${object}: ${path}: ${message}`);
    },

    onNodeProblems(problems) {
      for (const { node, reason, message, hint } of problems) {
        if (isNews(`problem ${node} ${reason}`, message))
          log.error({ node, reason }, `${node}: ${message}; ${hint}`);
      }
    },

    onAcquired() {
      log.info('this replica holds the Lease and distributes');
    },

    onLost(why) {
      log.warn(`this replica no longer distributes: ${why}`);
    },

    onLeader(identity) {
      if (identity === undefined) log.info('nobody holds the Lease');
      else log.info({ leader: identity }, `${identity} holds the Lease`);
    },

    onJudged(verdicts) {
      for (const { set, judgement } of verdicts) {
        const { findings } = judgement;
        if (!isNews(`${set.kind}/${set.name}`, findings)) continue;
        const level = { deny: 'error', warn: 'warn', audit: 'debug' } as const;
        for (const finding of findings) {
          const { rule, action, path } = finding;
          log[level[action]](
            { kind: set.kind, mirrorSet: set.name, rule, action, path },
            `${set.kind} "${set.name}" is in the cluster: ${action} ${rule} at ${path}: ${describeFinding(finding)}`,
          );
        }
      }
    },

    onEventsDropped(count) {
      log.warn({ count }, `${count} Events were not written: too many at once`);
    },

    certs: {
      onRenewed(what, expires) {
        log.info({ what, expires: expires.toISOString() }, `${renewed[what]}, until ${day(expires)}`);
      },
      onRestored(store, reason) {
        log.warn({ store }, `${store} was written anew: ${reason}`);
      },
      onInjected(target) {
        log.info({ target }, `${target} has the authority of this webhook`);
      },
      onRepaired(target) {
        log.warn({ target }, `${target}: somebody had changed the caBundle; it is as it was`);
      },
      onFault(fault) {
        log.warn({ code: fault.code }, `${fault.message}; ${fault.hint}`);
      },
    },
  };
}

const renewed = {
  'next-authority': 'a new authority is made known to the API servers, and signs later',
  authority: 'the new authority signs from now on',
  certificate: 'the certificate was renewed',
} as const;

function day(date: Date): string {
  return date.toISOString().slice(0, 'yyyy-mm-dd'.length);
}
