import { pino, type DestinationStream, type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { Io } from './io.js';
import type { LogFlags } from './log-flags.js';

/** The log of a long-running command, on stderr: stdout is for results. */
export function createLogger(io: Io, { logLevel, logFormat }: LogFlags): Logger {
  const format = logFormat ?? (io.stderr.isTTY === true ? 'text' : 'json');
  const sink: DestinationStream = { write: (text: string) => void io.stderr.write(text) };
  const options = { level: logLevel, base: null };
  if (format === 'json') return pino(options, sink);
  const colorize = io.stderr.isTTY === true && (io.env['NO_COLOR'] ?? '') === '';
  const lines = pretty({
    colorize,
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
    destination: sink as never,
    sync: true,
  });
  return pino(options, lines);
}
