import type { Request } from 'express';
import { done, refuse, type Step } from './refusal.js';

/** `none` stands for a request that does not state a type. */
export type AcceptedType = `${string}/${string}` | 'none';

/** Checks that a body is of a type, and in an encoding of text, that the route takes. */
export function checkMediaType(request: Request, accepted: readonly AcceptedType[]): Step<void> {
  const header = request.headers['content-type'];
  const [type = '', ...parameters] = (header ?? '').split(';').map((part) => part.trim().toLowerCase());
  const found = type === '' ? 'none' : type;
  if (!accepted.some((each) => each === found)) {
    const expected = accepted.filter((each) => each !== 'none').join(', ');
    return refuse(
      'unsupported-media-type',
      `the body's Content-Type is ${found === 'none' ? 'not stated' : 'not one that is understood here'}; expected ${expected}`,
    );
  }
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length);
  if (charset !== undefined && !['utf-8', 'utf8', 'us-ascii'].includes(charset.replace(/^"|"$/g, ''))) {
    return refuse('unsupported-media-type', 'the body is in another encoding than UTF-8');
  }
  return done(undefined);
}
