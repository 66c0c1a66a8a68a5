/** Lengths of the units of a Go duration, in ms. */
const units: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  // Micro sign and Greek mu: Go reads both.
  '\u00b5s': 1e-3,
  '\u03bcs': 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Reads a duration as Go writes it (`10s`, `1m30s`, `500ms`, `1.5h`, `0`), which is how the API server states a
 * webhook's timeout. A negative one is not taken: it has no meaning here.
 *
 * @returns ms; `undefined` when the text is no such duration
 */
export function parseGoDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (text.length > 64 || !/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$/.test(text)) {
    return undefined;
  }
  let total = 0;
  for (const [, number, unit = ''] of text.matchAll(/([\d.]+)([a-z\u00b5\u03bc]+)/g)) {
    total += Number(number) * (units[unit] ?? Number.NaN);
  }
  return Number.isFinite(total) ? total : undefined;
}
