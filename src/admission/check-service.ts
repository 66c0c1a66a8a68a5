import type { Request, RequestHandler, Response } from 'express';
import { setImmediate as turn } from 'node:timers/promises';
import PQueue from 'p-queue';
import { parseInsecureRegistries, type InsecureRegistries } from '../mirrors/insecure-registries.js';
import { parseManifests, type ParsedManifests } from '../mirrors/manifest.js';
import type { AdmissionDeps } from './admission-deps.js';
import {
  faultAsJson,
  judgeManifests,
  notesAsJson,
  reportAsJson,
  reportOn,
  type JudgedManifest,
} from './check-manifests.js';
import { longestTimeout, startDeadline, tooLate, type Deadline } from './deadline.js';
import { checkMediaType } from './media-type.js';
import { renderPreview } from './preview.js';
import { printable, shorten } from './printable.js';
import { queryParameter } from './query.js';
import { largestManifests, readBody } from './read-body.js';
import { done, refuse, sendRefusal, type Step } from './refusal.js';

const accepted = [
  'application/yaml',
  'application/x-yaml',
  'text/yaml',
  'application/json',
  'text/plain',
  // What curl states for --data-binary when it is told nothing.
  'application/x-www-form-urlencoded',
  'none',
] as const;

const defaultFile = 'request';
const longestFile = 256;

/**
 * `POST /check`: manifests in, the report of `check -o json` and the rendered preview out. `?file=` names the manifests
 * in the answer. `?cluster=true` judges them beside the mirror sets in force, as `check --cluster` does; without it by
 * themselves, so that the answer depends on nothing but the manifests and the policy.
 *
 * Reviews share the process, and the API server waits for them: checks are worked on one after another, and let
 * whatever else there is go first after each mirror set.
 */
export function checkHandler(deps: Required<AdmissionDeps>): RequestHandler {
  const queue = new PQueue({ concurrency: 1 });
  return async (request, response) => {
    const step = await check(request, response, deps, queue);
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
  queue: PQueue,
): Promise<Step<object>> {
  const started = startDeadline(request, deps.clock, longestTimeout);
  if (!started.ok) return started;
  const deadline = started.value;
  const options = readOptions(request);
  if (!options.ok) return options;
  const type = checkMediaType(request, accepted);
  if (!type.ok) return type;
  const text = await readBody(request, response, { deadline, largest: largestManifests });
  if (!text.ok) return text;

  return queue.add(async () => {
    if (deadline.remaining() <= 0) return tooLate();
    const parsed = readManifests(text.value, options.value.file);
    if (!parsed.ok) return parsed;
    await turn();
    return judge(parsed.value, options.value, deps, deadline);
  });
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

async function judge(
  parsed: ParsedManifests,
  { cluster }: CheckOptions,
  deps: AdmissionDeps,
  deadline: Deadline,
): Promise<Step<object>> {
  const policy = deps.policy();
  const own = parseInsecureRegistries(parsed.insecureRegistries);
  const insecure = either(deps.insecure(), own.registries);
  const liveIndex = cluster ? deps.index() : undefined;

  const judged: JudgedManifest[] = [];
  for (const each of judgeManifests([parsed], { policy, now: deps.now(), insecure, liveIndex })) {
    judged.push(each);
    await turn();
    if (deadline.remaining() <= 0) return tooLate();
  }
  const report = reportOn([parsed], judged);
  const preview = renderPreview(report.admitted, { view: policy.view, insecure });
  const notices = [
    ...(cluster && liveIndex === undefined ? ['the mirror sets of the cluster are not known yet'] : []),
    ...own.faults.map(({ text, fault }) => `insecureRegistries: ${JSON.stringify(text)} ${fault}`),
    ...report.notices,
    ...preview.notices,
  ];
  const answer = { ...reportAsJson(report), ...notesAsJson({ ...report, notices }), preview: preview.files };
  return deadline.remaining() <= 0 ? tooLate() : done(answer);
}

function either(one: InsecureRegistries, other: InsecureRegistries): InsecureRegistries {
  return { includes: (location) => one.includes(location) || other.includes(location) };
}
