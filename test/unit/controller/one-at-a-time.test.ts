import { describe, expect, it } from 'vitest';
import { oneAtATime } from '../../../src/controller/one-at-a-time.js';

/** Runs that end when the test says so. */
function runs() {
  const ends: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const run = () =>
    new Promise<void>((resolve, reject) => {
      ends.push({ resolve, reject });
    });
  return { ends, start: oneAtATime(run) };
}

/** Lets everything that is due happen. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('oneAtATime', () => {
  it('makes one more run after the one under way, however often it was called meanwhile', async () => {
    const { ends, start } = runs();
    void start();
    await settle();
    expect(ends).toHaveLength(1);

    const later = [start(), start(), start()];
    await settle();
    expect(ends).toHaveLength(1);

    ends[0]?.resolve();
    await settle();
    expect(ends).toHaveLength(2);
    ends[1]?.resolve();
    await Promise.all(later);
    await settle();
    expect(ends).toHaveLength(2);
  });

  it('resolves only when a run that began after the call has ended', async () => {
    const { ends, start } = runs();
    void start();
    await settle();
    let isDone = false;
    void start().then(() => {
      isDone = true;
    });
    ends[0]?.resolve();
    await settle();
    expect(isDone).toBe(false);
    ends[1]?.resolve();
    await settle();
    expect(isDone).toBe(true);
  });

  it('goes on after a run that failed, and tells its callers alone', async () => {
    const { ends, start } = runs();
    const failing = start();
    await settle();
    const next = start();
    ends[0]?.reject(new Error('disk full'));
    await expect(failing).rejects.toThrow('disk full');
    await settle();
    ends[1]?.resolve();
    await expect(next).resolves.toBeUndefined();
  });
});
