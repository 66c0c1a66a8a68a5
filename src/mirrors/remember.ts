/**
 * Remembers what a pure function gave for the same object, for as long as that object lives. For results that are asked
 * for again and again while nothing changes; objects are told apart by identity, so they must not be changed.
 */
export function remember<T extends object, R>(compute: (argument: T) => R): (argument: T) => R {
  const known = new WeakMap<T, { readonly result: R }>();
  return (argument) => {
    const found = known.get(argument) ?? { result: compute(argument) };
    known.set(argument, found);
    return found.result;
  };
}
