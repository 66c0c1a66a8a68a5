import type { Request } from 'express';
import { done, refuse, type Step } from './refusal.js';

/** A query parameter that may be given once; `undefined` when it is not. */
export function queryParameter(request: Pick<Request, 'query'>, name: string): Step<string | undefined> {
  const value = request.query[name];
  if (value === undefined || typeof value === 'string') return done(value);
  return refuse('invalid-parameter', `the query parameter "${name}" is given more than once`);
}
