import { Router } from 'express';
import type { Health } from './health.js';

/**
 * `GET /healthz`: 200 `ok`, or 503 with a line per failed check. `GET /readyz`: 200 or 503, with every check and its
 * detail as JSON: `{"ready":false,"checks":{"mirror sets":{"ok":false,"detail":"not synced"}}}`.
 */
export function healthRouter(health: Health): Router {
  const router = Router();
  router.get('/healthz', async (_request, response) => {
    const { ok, checks } = await health.live();
    const failed = Object.entries(checks).filter(([, check]) => !check.ok);
    response
      .status(ok ? 200 : 503)
      .set('Cache-Control', 'no-store')
      .type('text/plain')
      .send(ok ? 'ok' : failed.map(([name, { detail }]) => `${name}: ${detail ?? 'failed'}\n`).join(''));
  });
  router.get('/readyz', async (_request, response) => {
    const { ok, checks } = await health.ready();
    response
      .status(ok ? 200 : 503)
      .set('Cache-Control', 'no-store')
      .json({ ready: ok, checks });
  });
  return router;
}
