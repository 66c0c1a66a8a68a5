/** Puts what was measured into the output of the run, beside the tests that pass. */
export function reportFigures(what: string, figures: Readonly<Record<string, string | number>>): void {
  const list = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
  process.stdout.write(`${what}: ${list.join(', ')}\n`);
}
