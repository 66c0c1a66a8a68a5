/** Where a run starts from: the number in `MIRRORGATE_SEED`, or a new one. Print it, so that a failure can be run again. */
export function chosenSeed(): number {
  const given = process.env['MIRRORGATE_SEED'];
  if (given === undefined || given === '') return Math.floor(Math.random() * 2 ** 31);
  const seed = Number(given);
  if (!Number.isSafeInteger(seed)) throw new Error(`MIRRORGATE_SEED is "${given}": expected a whole number`);
  return seed;
}

/** Numbers in [0, 1), the same ones for the same seed: a Weyl sequence whose members are hashed to 32 bits. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from 0 to `limit` - 1. */
export function below(limit: number, random: () => number): number {
  return Math.floor(random() * limit);
}
