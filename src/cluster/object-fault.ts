import type { Source } from '../controller/sources.js';

/** An object of the cluster that cannot be taken as it is. Never quotes secret material. */
export interface ObjectFault {
  /** Kind and name: `ImageTagMirrorSet tags`. */
  readonly object: string;
  /** Field path: `spec.imageTagMirrors[0].source`. */
  readonly path: string;
  /** What was expected, what was found, and what holds meanwhile. */
  readonly message: string;
}

/** Told when what is wrong is no longer the same, and once with none after all is well again. */
export type OnObjectFaults = (faults: readonly ObjectFault[]) => void;

/** Tells what is wrong now, if anything is, and again whenever that changes. */
export function reportFaults(faults: Source<readonly ObjectFault[]>, onFaults: OnObjectFaults): void {
  let told: readonly ObjectFault[] = [];
  const report = () => {
    const now = faults.current() ?? [];
    if (now.length === 0 && told.length === 0) return;
    told = now;
    onFaults(now);
  };
  report();
  faults.onChange(report);
}
