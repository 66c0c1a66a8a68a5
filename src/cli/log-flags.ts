export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export const logFormats = ['json', 'text'] as const;

export interface LogFlags {
  readonly logLevel: (typeof logLevels)[number];
  /** JSON lines, or lines for people; by default the latter on a terminal. */
  readonly logFormat?: (typeof logFormats)[number];
}
