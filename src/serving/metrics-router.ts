import { Router } from 'express';
import type { Metrics } from './metrics.js';

/** `GET /metrics` in the Prometheus exposition format. */
export function metricsRouter(metrics: Metrics): Router {
  const router = Router();
  router.get('/metrics', async (_request, response) => {
    const { contentType, text } = await metrics.expose();
    response.set('Content-Type', contentType).set('Cache-Control', 'no-store').send(text);
  });
  return router;
}
