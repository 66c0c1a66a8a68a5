import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { debounce } from '../../../src/controller/debounce.js';

describe('debounce', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('runs once, when a burst has been over for the quiet time', () => {
    const run = vi.fn();
    const { trigger } = debounce(run, 100, 1_000);
    for (let count = 0; count < 5; count += 1) {
      trigger();
      vi.advanceTimersByTime(50);
    }
    expect(run).not.toHaveBeenCalled();
    vi.advanceTimersByTime(49);
    expect(run).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(run).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(10_000);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('runs again and again, each time at the latest, while something never rests', () => {
    const run = vi.fn();
    const { trigger } = debounce(run, 100, 1_000);
    for (let passed = 0; passed < 3_000; passed += 50) {
      trigger();
      vi.advanceTimersByTime(50);
    }
    // Each time, the latest counts from the first trigger after the run before.
    expect(run).toHaveBeenCalledTimes(3);
  });

  it('counts the latest from the first trigger of each burst, not from the run before', () => {
    const run = vi.fn();
    const { trigger } = debounce(run, 100, 250);
    trigger();
    vi.advanceTimersByTime(100);
    expect(run).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(140);
    trigger();
    vi.advanceTimersByTime(99);
    expect(run).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(1);
    expect(run).toHaveBeenCalledTimes(2);
  });

  it('takes a trigger from within the run as the start of the next', () => {
    const run = vi.fn(() => {
      if (run.mock.calls.length === 1) trigger();
    });
    const { trigger } = debounce(run, 100, 1_000);
    trigger();
    vi.advanceTimersByTime(100);
    expect(run).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(100);
    expect(run).toHaveBeenCalledTimes(2);
  });

  it('runs no more once cancelled, even when it is triggered again', () => {
    const run = vi.fn();
    const { trigger, cancel } = debounce(run, 100, 1_000);
    trigger();
    cancel();
    trigger();
    vi.advanceTimersByTime(10_000);
    expect(run).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
});
