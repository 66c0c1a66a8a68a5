import { done, refuse, type Step } from './refusal.js';

/** Parses a JSON text. The refusal tells the place of the fault, and nothing of what stands there. */
export function parseJson(text: string): Step<unknown> {
  try {
    return done(JSON.parse(text) as unknown);
  } catch (error) {
    return refuse('malformed-json', `the body is not JSON${whereIn(text, error)}`);
  }
}

/** What the parser tells of the place: not every one of its messages has it, and most quote what stands there. */
function whereIn(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const position = /at position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return `: fault at ${place(text, Number(position))}`;
  return /^Unexpected end/.test(message) ? ': it ends too early' : '';
}

function place(text: string, offset: number): string {
  const lines = text.slice(0, offset).split('\n');
  return `line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`;
}
