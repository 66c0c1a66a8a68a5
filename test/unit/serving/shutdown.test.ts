import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { exitCodeOf, untilSignal } from '../../../src/serving/shutdown.js';

function watched() {
  const source = new EventEmitter();
  const exits: number[] = [];
  const clock = { now: 10_000 };
  const watch = untilSignal({
    // An emitter stands in for the process: signals are its events.
    source: source as unknown as Pick<NodeJS.Process, 'on' | 'off'>,
    exit: (code) => exits.push(code),
    now: () => clock.now,
  });
  const send = (signal: 'SIGINT' | 'SIGTERM') => source.emit(signal, signal);
  return { source, exits, clock, watch, send };
}

describe('untilSignal', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('resolves at the first %s without exiting', async (signal) => {
    const { watch, send, exits } = watched();
    send(signal);
    expect(await watch.received).toBe(signal);
    expect(exits).toEqual([]);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('exits at once at a second %s, with code %i', (signal, code) => {
    const { send, exits, clock } = watched();
    send(signal);
    clock.now += 500;
    send(signal);
    expect(exits).toEqual([code]);
  });

  it('takes an immediate repetition for the echo of one key press', () => {
    const { send, exits, clock } = watched();
    send('SIGINT');
    clock.now += 20;
    send('SIGINT');
    expect(exits).toEqual([]);
    send('SIGTERM');
    expect(exits).toEqual([143]);
  });

  it('removes its listeners when released', () => {
    const { source, watch, send, exits } = watched();
    send('SIGINT');
    expect(source.listenerCount('SIGINT') + source.listenerCount('SIGTERM')).toBe(2);
    watch.release();
    expect(source.listenerCount('SIGINT') + source.listenerCount('SIGTERM')).toBe(0);
    send('SIGTERM');
    expect(exits).toEqual([]);
  });
});

describe('exitCodeOf', () => {
  it('is 128 and the number of the signal', () => {
    expect(exitCodeOf('SIGINT')).toBe(130);
    expect(exitCodeOf('SIGTERM')).toBe(143);
  });
});
