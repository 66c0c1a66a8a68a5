/** Tells what is new: true the first time a subject is in a state, and whenever it is in another than the last time. */
export function newsTeller(): (subject: string, state: unknown) => boolean {
  const told = new Map<string, string>();
  return (subject, state) => {
    const text = JSON.stringify(state);
    if (told.get(subject) === text) return false;
    told.set(subject, text);
    return true;
  };
}
