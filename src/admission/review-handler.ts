import type { Request, RequestHandler, Response } from 'express';
import { evaluate, type Judgement } from '../policy/evaluate.js';
import type { AdmissionDeps } from './admission-deps.js';
import {
  admissionResponse,
  malformedResponse,
  waivedResponse,
  type AdmissionReviewResponse,
} from './admission-response.js';
import { startDeadline, tooLate } from './deadline.js';
import { checkMediaType } from './media-type.js';
import { isObject, parseAdmissionReview, type ReviewRequest } from './parse-admission-review.js';
import { parseJson } from './parse-json.js';
import { largestReview, readBody } from './read-body.js';
import { done, sendRefusal, type Step } from './refusal.js';
import { toReview } from './to-review.js';

/** `POST /validate/mirror-sets`: one AdmissionReview in, one out; dry runs alike, since nothing is changed by either. */
export function reviewHandler(deps: Required<AdmissionDeps>): RequestHandler {
  return async (request, response) => {
    const started = deps.clock();
    const step = await review(request, response, deps);
    if (!step.ok) {
      sendRefusal(response, step.refusal);
      deps.observer.onRefused(step.refusal.code, step.refusal.message);
      return;
    }
    const { asked, name, judgement, answer } = step.value;
    response.json(answer);
    deps.observer.onReviewed({
      uid: asked.uid,
      kind: asked.kind,
      name,
      operation: asked.operation,
      outcome: answer.response.allowed ? 'allowed' : 'denied',
      findings: judgement?.findings ?? [],
      exempted: judgement?.exempted ?? [],
      dryRun: asked.dryRun,
      durationMs: deps.clock() - started,
    });
  };
}

interface Answered {
  readonly asked: ReviewRequest;
  readonly name: string;
  /** Absent when the object could not be read. */
  readonly judgement?: Judgement;
  readonly answer: AdmissionReviewResponse;
}

async function review(
  request: Request,
  response: Response,
  deps: Required<AdmissionDeps>,
): Promise<Step<Answered>> {
  const deadline = startDeadline(request, deps.clock);
  if (!deadline.ok) return deadline;
  const type = checkMediaType(request, ['application/json']);
  if (!type.ok) return type;
  const text = await readBody(request, response, { deadline: deadline.value, largest: largestReview });
  if (!text.ok) return text;
  const body = parseJson(text.value);
  if (!body.ok) return body;
  const asked = parseAdmissionReview(body.value);
  if (!asked.ok) return asked;
  // A judgement cannot be interrupted: what is late already is not begun.
  if (deadline.value.remaining() <= 0) return tooLate();
  const answered = judge(asked.value, deps);
  return deadline.value.remaining() <= 0 ? tooLate() : done(answered);
}

function judge(asked: ReviewRequest, deps: AdmissionDeps): Answered {
  const policy = deps.policy();
  const read = toReview(asked);
  if (read.type !== 'review') {
    const name = nameOf(asked);
    const reviewed = { uid: asked.uid, kind: asked.kind, name };
    const answer =
      read.type === 'malformed'
        ? malformedResponse(reviewed, read.faults, policy.profile)
        : waivedResponse(reviewed, read, policy.profile);
    return { asked, name, answer };
  }
  const { name } = read.review.set;
  const judgement = evaluate(read.review, {
    policy,
    index: deps.index(),
    insecure: deps.insecure(),
    now: deps.now(),
  });
  const answer = admissionResponse({ uid: asked.uid, kind: asked.kind, name }, judgement, policy.profile);
  return { asked, name, judgement, answer };
}

/** The name of an object that cannot be read as a mirror set. */
function nameOf({ name, object, oldObject }: ReviewRequest): string {
  if (name !== undefined) return name;
  const metadata = (object ?? oldObject)?.['metadata'];
  const own = isObject(metadata) ? metadata['name'] : undefined;
  return typeof own === 'string' ? own : '';
}
