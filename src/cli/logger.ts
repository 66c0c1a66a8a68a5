import { Writable } from 'node:stream';
import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { Io } from './io.js';
import type { LogFlags } from './log-flags.js';

/** The log of a long-running command, on stderr: stdout is for results. */
export function createLogger(io: Pick<Io, 'stderr' | 'env'>, { logLevel, logFormat }: LogFlags): Logger {
  const format = logFormat ?? (io.stderr.isTTY === true ? 'text' : 'json');
  const options = { level: logLevel, base: null };
  const write = (text: string) => void io.stderr.write(text);
  if (format === 'json') return pino(options, { write });

  const destination = new Writable({
    decodeStrings: false,
    write(text: string | Buffer, _encoding, done) {
      write(text.toString());
      done();
    },
  });
  const colorize = io.stderr.isTTY === true && (io.env['NO_COLOR'] ?? '') === '';
  // The message says it all for a person; the fields beside it are for programs that read JSON.
  return pino(
    options,
    pretty({ colorize, translateTime: 'SYS:HH:MM:ss', hideObject: true, destination, sync: true }),
  );
}
