/** Calls back as an event target does: an observer that throws is reported, and disturbs nobody. */
export function callObserver(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
