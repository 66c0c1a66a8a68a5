import { covers, parseReference, type Reference } from './reference.js';

/** The `insecureRegistries` of the cluster image config: `host[:port]`, `host[:port]/path` or `*.domain`. */
export interface InsecureRegistries {
  /** True when a registry, or a path on it, may be reached without verified TLS. */
  includes(location: Reference): boolean;
}

export interface ParsedInsecureRegistries {
  readonly registries: InsecureRegistries;
  /** Items that are none of the three forms; they match nothing. */
  readonly faults: readonly { readonly text: string; readonly fault: string }[];
}

export const noInsecureRegistries: InsecureRegistries = { includes: () => false };

/** Reads the list once, so that each look-up only compares. */
export function parseInsecureRegistries(texts: readonly string[]): ParsedInsecureRegistries {
  const parsed = texts.map((text) => ({ text, result: parseReference(text, { wildcard: true }) }));
  const references = parsed.flatMap(({ result }) => (result.ok ? [result.reference] : []));
  return {
    registries: { includes: (location) => references.some((outer) => covers(outer, location)) },
    faults: parsed.flatMap(({ text, result }) => (result.ok ? [] : [{ text, fault: result.fault }])),
  };
}
