import { done, refuse, type Step } from './refusal.js';

/** Parses a JSON text. The refusal tells the place of the fault, and nothing of what stands there. */
export function parseJson(text: string): Step<unknown> {
  try {
    return done(JSON.parse(text) as unknown);
  } catch (error) {
    const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    return refuse(
      'malformed-json',
      position === undefined
        ? 'the body is not JSON: it ends too early'
        : `the body is not JSON: fault at ${place(text, Number(position))}`,
    );
  }
}

function place(text: string, offset: number): string {
  const lines = text.slice(0, offset).split('\n');
  return `line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`;
}
