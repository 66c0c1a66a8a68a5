import type { CheckReport, ReportedFinding } from '../admission/check-manifests.js';
import { checkManifests, reportAsJson } from '../admission/check-manifests.js';
import { parseInsecureRegistries } from '../mirrors/insecure-registries.js';
import type { MirrorPolicy } from '../policy/policy.js';
import { exitCodes } from './cli-error.js';
import { codeFrame } from './code-frame.js';
import { note, painter, type Io, type Paint, type Style } from './io.js';
import { loadPolicy, type PolicyFlags } from './load-policy.js';
import { readInputs, reportInputs, type Input } from './read-inputs.js';

export interface CheckFlags extends PolicyFlags {
  readonly output: 'text' | 'json';
  /** A warning fails the check too. */
  readonly strict?: boolean;
  /** Show audit findings in text output. */
  readonly audit?: boolean;
}

/** `mirrorgate check FILE…`: findings for manifests, each set judged as if it were created beside the others. */
export async function check(io: Io, names: readonly string[], flags: CheckFlags): Promise<number> {
  const policy = await loadPolicy(flags);
  const inputs = await readInputs(io, names);
  const unreadable = reportInputs(io, inputs);

  const insecure = parseInsecureRegistries(inputs.flatMap(({ parsed }) => parsed.insecureRegistries));
  for (const { text, fault } of insecure.faults) note(io, `note: insecureRegistries: "${text}" ${fault}`);
  const report = checkManifests(
    inputs.map(({ parsed }) => parsed),
    { policy, insecure: insecure.registries, now: io.now() },
  );

  if (flags.output === 'json') io.stdout.write(`${JSON.stringify(reportAsJson(report), null, 2)}\n`);
  else io.stdout.write(reportAsText(report, inputs, policy, flags.audit === true, painter(io, io.stdout)));
  for (const notice of report.notices) note(io, `note: ${notice}`);

  if (unreadable) return exitCodes.usage;
  const { deny, warn } = report.summary;
  return deny > 0 || (flags.strict === true && warn > 0) ? exitCodes.negative : exitCodes.ok;
}

const styles = { deny: 'red', warn: 'yellow', audit: 'gray' } as const satisfies Record<string, Style>;

function reportAsText(
  report: CheckReport,
  inputs: readonly Input[],
  policy: MirrorPolicy,
  showAudit: boolean,
  paint: Paint,
): string {
  const texts = new Map(inputs.map(({ file, text }) => [file, text]));
  const shown = report.findings.filter(({ action }) => showAudit || action !== 'audit');
  const findings = shown.map((finding) =>
    findingAsText(finding, texts.get(finding.source.file) ?? '', paint),
  );
  return [...findings, summaryAsText(report, policy, showAudit)].join('\n');
}

function findingAsText(finding: ReportedFinding, text: string, paint: Paint): string {
  const { file, line, column } = finding.source;
  return [
    `${paint('bold', `${file}:${line}:${column}`)} ${paint(styles[finding.action], finding.action)} ${finding.rule}: ${finding.kind} "${finding.name}" at ${finding.path}`,
    `  ${finding.message}`,
    codeFrame(text, finding.source, paint).replace(/^/gm, '  '),
    `  ${paint('green', 'fix:')} ${finding.fix}`,
    '',
  ].join('\n');
}

function summaryAsText({ summary }: CheckReport, policy: MirrorPolicy, showAudit: boolean): string {
  const { sets, deny, warn, audit, exempted = 0 } = summary;
  const counts = [
    `${deny} deny`,
    `${warn} warn`,
    `${audit} audit`,
    ...(exempted > 0 ? [`${exempted} exempted`] : []),
  ];
  const hint = audit > 0 && !showAudit ? '; --audit shows what is only recorded' : '';
  return `${sets} mirror ${sets === 1 ? 'set' : 'sets'}, profile ${policy.profile}: ${counts.join(', ')}${hint}\n`;
}
