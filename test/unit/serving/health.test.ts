import express from 'express';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { healthRouter } from '../../../src/serving/health-router.js';
import { Health } from '../../../src/serving/health.js';

const never = () => new Promise<never>(() => undefined);

function serve(health: Health) {
  return request(express().use(healthRouter(health)));
}

describe('/readyz', () => {
  it('lists every check with its detail', async () => {
    const health = new Health();
    health.addReadiness('policy', () => ({ ok: true, detail: 'last good one in force: broken at rules[0]' }));
    health.addReadiness('mirror sets', () => Promise.resolve({ ok: false, detail: 'not synced' }));
    const answer = await serve(health).get('/readyz').expect(503).expect('Cache-Control', 'no-store');
    expect(answer.body).toEqual({
      ready: false,
      checks: {
        policy: { ok: true, detail: 'last good one in force: broken at rules[0]' },
        'mirror sets': { ok: false, detail: 'not synced' },
      },
    });
  });

  it('becomes ready when its checks pass, and not ready for good when the stop begins', async () => {
    let synced = false;
    const health = new Health();
    health.addReadiness('mirror sets', () => ({ ok: synced }));
    await serve(health).get('/readyz').expect(503);
    synced = true;
    const ready = await serve(health).get('/readyz').expect(200);
    expect(ready.body).toEqual({ ready: true, checks: { 'mirror sets': { ok: true } } });
    health.beginStopping();
    const stopping = await serve(health).get('/readyz').expect(503);
    expect(stopping.body).toMatchObject({
      ready: false,
      checks: { running: { ok: false, detail: 'shutting down' } },
    });
  });

  it('is not ready when a check throws or hangs', async () => {
    const health = new Health({ checkTimeoutMs: 5 });
    health.addReadiness('throws', () => {
      throw new Error('no such file');
    });
    health.addReadiness('rejects', () => Promise.reject(new Error('refused')));
    health.addReadiness('hangs', never);
    const answer = await serve(health).get('/readyz').expect(503);
    expect(answer.body).toMatchObject({
      checks: {
        throws: { ok: false, detail: 'no such file' },
        rejects: { ok: false, detail: 'refused' },
        hangs: { ok: false, detail: 'no answer within 0.0 s' },
      },
    });
  });
});

describe('/healthz', () => {
  it('says ok, also while the process is not ready or stops', async () => {
    const health = new Health();
    health.addReadiness('mirror sets', () => ({ ok: false }));
    health.beginStopping();
    const answer = await serve(health)
      .get('/healthz')
      .expect(200)
      .expect('Content-Type', /text\/plain/);
    expect(answer.text).toBe('ok');
  });

  it('fails with the name of a liveness check that fails or is stuck', async () => {
    const health = new Health({ checkTimeoutMs: 1000 });
    health.addLiveness('queue', () => ({ ok: false, detail: 'closed' }));
    expect((await serve(health).get('/healthz').expect(503)).text).toBe('queue: closed\n');

    const stuck = new Health({ checkTimeoutMs: 5 });
    stuck.addLiveness('reconcile', never);
    expect((await serve(stuck).get('/healthz').expect(503)).text).toMatch(/^reconcile: no answer within/);
  });

  it('fails when a loop has not come round for too long, and recovers with its next beat', async () => {
    let now = 1_000;
    const health = new Health({ now: () => now });
    const beat = health.addHeartbeat('reconcile', 60_000);
    now += 60_000;
    expect((await health.live()).ok).toBe(true);
    now += 1;
    expect((await serve(health).get('/healthz').expect(503)).text).toBe(
      'reconcile: no sign of life for 60.0 s\n',
    );
    beat();
    await serve(health).get('/healthz').expect(200);
  });

  it('fails when the event loop is held up', async () => {
    const health = new Health({ maxLoopTurnMs: 20 });
    health.addLiveness('hog', () => {
      const end = performance.now() + 60;
      while (performance.now() < end);
      return { ok: true };
    });
    const { ok, checks } = await health.live();
    expect(ok).toBe(false);
    expect(checks['event loop']?.detail).toMatch(/^one turn took \d+\.\d s$/);
    expect(checks['hog']).toEqual({ ok: true });
  });
});
