import type { Request, RequestHandler, Response } from 'express';
import { parseInsecureRegistries, type InsecureRegistries } from '../mirrors/insecure-registries.js';
import { parseManifests, type ParsedManifests } from '../mirrors/manifest.js';
import type { AdmissionDeps } from './admission-deps.js';
import { checkManifests, faultAsJson, reportAsJson } from './check-manifests.js';
import { startDeadline, tooLate } from './deadline.js';
import { checkMediaType } from './media-type.js';
import { renderPreview } from './preview.js';
import { printable, shorten } from './printable.js';
import { queryParameter } from './query.js';
import { readBody } from './read-body.js';
import { done, refuse, sendRefusal, type Step } from './refusal.js';

const accepted = [
  'application/yaml',
  'application/x-yaml',
  'text/yaml',
  'application/json',
  'text/plain',
  'none',
] as const;

const defaultFile = 'request';
const longestFile = 256;

/**
 * `POST /check`: manifests in, the report of `check -o json` and the rendered preview out. `?file=` names the manifests
 * in the answer. `?cluster=true` judges them beside the mirror sets in force, as `check --cluster` does; without it by
 * themselves, so that the answer depends on nothing but the manifests and the policy.
 */
export function checkHandler(deps: Required<AdmissionDeps>): RequestHandler {
  return async (request, response) => {
    const step = await check(request, response, deps);
    if (step.ok) {
      response.json(step.value);
      return;
    }
    sendRefusal(response, step.refusal);
    deps.observer.onRefused(step.refusal.code, step.refusal.message);
  };
}

async function check(
  request: Request,
  response: Response,
  deps: Required<AdmissionDeps>,
): Promise<Step<object>> {
  const deadline = startDeadline(request, deps.clock);
  if (!deadline.ok) return deadline;
  const options = readOptions(request);
  if (!options.ok) return options;
  const type = checkMediaType(request, accepted);
  if (!type.ok) return type;
  const text = await readBody(request, response, deadline.value);
  if (!text.ok) return text;
  const parsed = readManifests(text.value, options.value.file);
  if (!parsed.ok) return parsed;
  if (deadline.value.remaining() <= 0) return tooLate();
  const answer = judge(parsed.value, options.value, deps);
  return deadline.value.remaining() <= 0 ? tooLate() : done(answer);
}

interface CheckOptions {
  readonly file: string;
  readonly cluster: boolean;
}

function readOptions(request: Request): Step<CheckOptions> {
  const file = queryParameter(request, 'file');
  if (!file.ok) return file;
  const cluster = queryParameter(request, 'cluster');
  if (!cluster.ok) return cluster;
  if (cluster.value !== undefined && cluster.value !== 'true' && cluster.value !== 'false') {
    return refuse('invalid-parameter', 'the query parameter "cluster" is neither true nor false');
  }
  const name = shorten(printable(file.value ?? ''), longestFile);
  return done({ file: name === '' ? defaultFile : name, cluster: cluster.value === 'true' });
}

/** Broken documents are faults of the report, unless there is no mirror set beside them that could be judged. */
function readManifests(text: string, file: string): Step<ParsedManifests> {
  const parsed = parseManifests(text, file);
  const [first, ...more] = parsed.faults;
  if (first === undefined || parsed.sets.length > 0) return done(parsed);
  const where = `line ${first.line}, column ${first.column}: ${first.message}`;
  return refuse(
    'invalid-manifests',
    more.length === 0 ? where : `${where} (and ${more.length} more)`,
    parsed.faults.map(faultAsJson),
  );
}

function judge(parsed: ParsedManifests, { cluster }: CheckOptions, deps: AdmissionDeps): object {
  const policy = deps.policy();
  const own = parseInsecureRegistries(parsed.insecureRegistries);
  const insecure = either(deps.insecure(), own.registries);
  const liveIndex = cluster ? deps.index() : undefined;

  const report = checkManifests([parsed], { policy, now: deps.now(), insecure, liveIndex });
  const preview = renderPreview(report.admitted, { view: policy.view, insecure });
  const notices = [
    ...(cluster && liveIndex === undefined ? ['the mirror sets of the cluster are not known yet'] : []),
    ...own.faults.map(({ text, fault }) => `insecureRegistries: ${JSON.stringify(text)} ${fault}`),
    ...report.notices,
    ...preview.notices,
  ];
  return { ...reportAsJson({ ...report, notices }), preview: preview.files };
}

function either(one: InsecureRegistries, other: InsecureRegistries): InsecureRegistries {
  return { includes: (location) => one.includes(location) || other.includes(location) };
}
