import { styleText } from 'node:util';

/** What a command reaches of the world around the process; tests give their own. */
export interface Io {
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly stdin: AsyncIterable<Buffer | string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
}

export type Style = Parameters<typeof styleText>[0];

/** Colours text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

/** Colours on a terminal only, and never where `NO_COLOR` is set. */
export function painter(io: Pick<Io, 'env'>, stream: { readonly isTTY?: boolean }): Paint {
  const noColor = io.env['NO_COLOR'];
  const coloured = stream.isTTY === true && (noColor === undefined || noColor === '');
  return (style, text) => (coloured ? styleText(style, text, { validateStream: false }) : text);
}

/** One line to stderr: what a person should know beside the result. */
export function note(io: Pick<Io, 'stderr'>, text: string): void {
  io.stderr.write(`${text}\n`);
}
