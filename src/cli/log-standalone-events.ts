import type { Logger } from 'pino';
import type { Reconciliation } from '../controller/controller.js';
import type { Verdict } from '../controller/admit.js';
import { describeFinding, type Finding } from '../policy/finding.js';
import type { DirectoryFault, ManifestDirectory } from '../standalone/manifest-directory.js';
import { logEvents, type CommonEvents } from './log-events.js';
import { verdictNewsTeller } from './news.js';

/** What happens in standalone mode, for a log or a person. */
export interface StandaloneEvents extends Omit<CommonEvents, 'onRendered'> {
  readonly onReconciled: (result: Reconciliation, directory: ManifestDirectory) => void;
  readonly onDirectoryFaults: (faults: readonly DirectoryFault[]) => void;
}

const verdictWords = {
  admitted: 'admitted',
  'kept-out': 'denied and kept out',
  'last-good-kept': 'denied; its last good version stays in force',
  removed: 'removed',
  'removal-refused': 'may not be removed and stays in force',
} as const satisfies Record<Verdict['outcome'], string>;

/** Writes what happens in standalone mode to a log: each thing once, when it changes. */
export function logStandaloneEvents(log: Logger): StandaloneEvents {
  const { onRendered, ...common } = logEvents(log);
  const newsOf = verdictNewsTeller();
  return {
    ...common,
    onReconciled(result, directory) {
      for (const verdict of result.admission.verdicts) {
        const news = newsOf(verdict);
        if (news.type === 'verdict') logVerdict(log, verdict, directory);
        if (news.type === 'findings') logFindings(log, verdict, news.findings, directory);
      }
      onRendered(result);
    },

    onDirectoryFaults(faults) {
      if (faults.length === 0) log.info('all manifests can be read again');
      for (const { where, message } of faults) log.error({ where }, `${where}: ${message}`);
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
