import { raw, type Request, type RequestHandler, type Response } from 'express';
import { tooLate, type Deadline } from './deadline.js';
import { done, refuse, type Step } from './refusal.js';

const mebibyte = 1024 * 1024;

/** An UPDATE carries two objects of up to 3 MiB each, with room for the rest of the review; bytes. */
export const largestReview = 7 * mebibyte;

/** What the API server takes of one object; reading much more YAML at a time would hold up the reviews. */
export const largestManifests = 3 * mebibyte;

/**
 * Reads the whole body as text. One that is too large is read to its end and thrown away, so that the client gets to
 * read the refusal; one that has not arrived by the deadline is not waited for.
 */
export async function readBody(
  request: Request,
  response: Response,
  { deadline, largest }: { readonly deadline: Deadline; readonly largest: number },
): Promise<Step<string>> {
  const patience = deadline.remaining();
  if (patience <= 0) return tooLate();

  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Step<never>>((resolve) => {
    timer = setTimeout(() => {
      // What is left of the body would be taken for the next request's beginning.
      response.set('Connection', 'close');
      resolve(refuse('body-timeout', 'the body did not arrive in the time that was given to answer'));
    }, patience);
  });
  try {
    const received = await Promise.race([receive(request, response, largest), late]);
    return received.ok ? decode(received.value) : received;
  } finally {
    clearTimeout(timer);
  }
}

function receive(request: Request, response: Response, largest: number): Promise<Step<Buffer>> {
  const parse: RequestHandler = raw({ limit: largest, type: () => true });
  return new Promise((resolve, reject) => {
    void parse(request, response, (error?: unknown) => {
      if (error === undefined) {
        const body: unknown = request.body;
        resolve(done(Buffer.isBuffer(body) ? body : Buffer.alloc(0)));
        return;
      }
      const refusal = refusalOf(error, largest);
      if (refusal === undefined) reject(new Error('the body cannot be read', { cause: error }));
      else resolve(refusal);
    });
  });
}

/** The faults of a client among the errors of the body parser. */
function refusalOf(error: unknown, largest: number): ReturnType<typeof refuse> | undefined {
  if (!(error instanceof Error) || !('status' in error) || typeof error.status !== 'number') return undefined;
  switch ('type' in error ? error.type : undefined) {
    case 'entity.too.large':
      return refuse('body-too-large', `the body is larger than ${largest / mebibyte} MiB`);
    case 'encoding.unsupported':
      return refuse(
        'unsupported-media-type',
        "the body's Content-Encoding is not one of gzip, deflate, br, identity",
      );
    case 'request.aborted':
    case 'request.size.invalid':
      return refuse('body-incomplete', 'the body ended before its stated length');
    default:
      // A body that does not unpack, for one.
      return error.status < 500 ? refuse('bad-request', 'the body cannot be read') : undefined;
  }
}

function decode(body: Buffer): Step<string> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return refuse('malformed-text', 'the body is not UTF-8 text');
  }
  return text.trim() === '' ? refuse('empty-body', 'the request has no body') : done(text);
}
