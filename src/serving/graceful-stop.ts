import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { OpenRequests } from './open-requests.js';

/** Resolves after `ms`, or at once when the signal aborts. Never rejects. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;

export interface StopOptions {
  /** How long to go on answering, in ms, until nobody sends new requests here. Default 10 s. */
  readonly drainMs?: number;
  /** How long requests in flight may then take to finish, in ms, before they are cut off. Default 25 s. */
  readonly graceMs?: number;
  /** Aborting ends both waits at once. */
  readonly hasten?: AbortSignal;
  readonly sleep?: Sleep;
}

/**
 * Stops a server in the order that loses no request: it goes on answering while clients learn of it, every answer
 * asking for a new connection elsewhere; then it stops accepting, lets requests in flight finish, and closes the rest.
 */
export async function stopGracefully(
  server: Server,
  requests: OpenRequests,
  options: StopOptions = {},
): Promise<void> {
  const { drainMs = 10_000, graceMs = 25_000, sleep = sleepFor } = options;
  const hasten = options.hasten ?? new AbortController().signal;

  requests.announceClose();
  if (drainMs > 0) await sleep(drainMs, hasten);

  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  const finished = new AbortController();
  await Promise.race([requests.finish(), sleep(graceMs, AbortSignal.any([hasten, finished.signal]))]);
  finished.abort();
  requests.destroyAll();
  await closed;
}

const sleepFor: Sleep = async (ms, signal) => {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    // Aborted: the wait is over.
  }
};
