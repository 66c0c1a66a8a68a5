import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { performance } from 'node:perf_hooks';
import type { AdmissionDeps } from './admission-deps.js';
import { guardObserver, type AdmissionObserver } from './admission-observer.js';
import { checkHandler } from './check-service.js';
import { sendRefusal, type Refusal } from './refusal.js';
import { reviewHandler } from './review-handler.js';

export type { AdmissionDeps, AdmissionObserver };

/**
 * The gate as an express application: `POST /validate/mirror-sets` and `POST /check`; everything else is a 404 or 405
 * as JSON. It may be mounted in another application, behind all other routes, since it answers every request.
 */
export function admissionApp(given: AdmissionDeps): Express {
  const deps: Required<AdmissionDeps> = {
    clock: () => performance.now(),
    ...given,
    observer: guardObserver(given.observer),
  };
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(noStore);

  const refuseWith = (refusal: Refusal): RequestHandler => {
    return (_request, response) => {
      sendRefusal(response, refusal);
      deps.observer.onRefused(refusal.code, refusal.message);
    };
  };
  for (const [path, handler] of [
    ['/validate/mirror-sets', reviewHandler(deps)],
    ['/check', checkHandler(deps)],
  ] as const) {
    app
      .route(path)
      .post(handler)
      .all(allowPost, refuseWith({ code: 'method-not-allowed', message: `${path} takes POST alone` }));
  }
  app.use(
    refuseWith({
      code: 'not-found',
      message: 'not here; there are POST /validate/mirror-sets and POST /check',
    }),
  );
  app.use(faultHandler(deps.observer));
  return app;
}

const noStore: RequestHandler = (_request, response, next) => {
  response.set('Cache-Control', 'no-store').set('X-Content-Type-Options', 'nosniff');
  next();
};

const allowPost: RequestHandler = (_request, response, next) => {
  response.set('Allow', 'POST');
  next();
};

/** Whatever was thrown: an HTTP 500 that tells nothing of it, so that the API server's `failurePolicy` decides. */
function faultHandler(observer: AdmissionObserver): ErrorRequestHandler {
  // Express knows an error handler by its four parameters.
  return (error: unknown, _request, response, next) => {
    observer.onInternalFault(error);
    if (response.headersSent) {
      next(error);
      return;
    }
    sendRefusal(response, { code: 'internal', message: 'mirrorgate failed; its log has the reason' });
  };
}
