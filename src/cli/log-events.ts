import type { Logger } from 'pino';
import type { Verdict } from '../controller/admit.js';
import { describeFinding, type Finding } from '../policy/finding.js';
import type { ManifestDirectory } from '../standalone/manifest-directory.js';
import { newsTeller, verdictNewsTeller } from './news.js';
import type { StandaloneEvents } from './run-standalone.js';

const verdictWords = {
  admitted: 'admitted',
  'kept-out': 'denied and kept out',
  'last-good-kept': 'denied; its last good version stays in force',
  removed: 'removed',
  'removal-refused': 'may not be removed and stays in force',
} as const satisfies Record<Verdict['outcome'], string>;

/** Writes what happens in standalone mode to a log: each thing once, when it changes. */
export function logEvents(log: Logger): StandaloneEvents {
  const isNews = newsTeller();
  const newsOf = verdictNewsTeller();
  return {
    onReconciled({ admission, rendered, nodes, insecureFaults }, directory) {
      for (const verdict of admission.verdicts) {
        const news = newsOf(verdict);
        if (news.type === 'verdict') logVerdict(log, verdict, directory);
        if (news.type === 'findings') logFindings(log, verdict, news.findings, directory);
      }
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

    onDirectoryFaults(faults) {
      if (faults.length === 0) log.info('all manifests can be read again');
      for (const { where, message } of faults) log.error({ where }, `${where}: ${message}`);
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

function logVerdict(log: Logger, verdict: Verdict, directory: ManifestDirectory): void {
  const { review, judgement, outcome } = verdict;
  const about = aboutOf(verdict);
  const line = `${review.set.kind} "${review.set.name}" is ${verdictWords[outcome]}`;
  if (judgement.allowed) log.info(about, line);
  else log.error(about, line);

  logFindings(log, verdict, judgement.findings, directory);
  for (const { finding, exemption } of judgement.exempted) {
    const fields = { ...about, rule: finding.rule, expires: exemption.expires.toISOString() };
    log.info(fields, `exempt from ${finding.rule}: ${exemption.reason}`);
  }
  for (const notice of judgement.notices) log.warn(about, notice);
}

function logFindings(
  log: Logger,
  verdict: Verdict,
  findings: readonly Finding[],
  directory: ManifestDirectory,
): void {
  const { set, operation } = verdict.review;
  const manifest = operation === 'DELETE' ? undefined : directory.manifestOf(set);
  for (const finding of findings) {
    const { rule, action, path } = finding;
    const position = manifest?.locate(path);
    const where = position === undefined ? path : `${position.file}:${position.line}: ${path}`;
    const text = `${action} ${rule} at ${where}: ${describeFinding(finding)}`;
    const level = { deny: 'error', warn: 'warn', audit: 'debug' } as const;
    log[level[action]]({ ...aboutOf(verdict), rule, action, path }, text);
  }
}

function aboutOf({ review: { set }, outcome }: Verdict) {
  // Not `name`, which is the logger's own in the eyes of those who print logs.
  return { kind: set.kind, mirrorSet: set.name, outcome };
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
