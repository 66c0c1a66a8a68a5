/** Exit codes of every command. */
export const exitCodes = {
  ok: 0,
  /** The command did its work, and the answer is no: a finding denies, files differ, a node failed. */
  negative: 1,
  /** The command could not do its work: wrong flags, or input that cannot be read. */
  usage: 2,
  /** A fault of mirrorgate. */
  internal: 70,
} as const;

/** An expected failure, in words for whoever typed the command: one line, and a hint at what to do. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly hint: string | undefined;
  readonly exitCode: number;

  constructor(message: string, options: { hint?: string; exitCode?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? exitCodes.usage;
  }
}
