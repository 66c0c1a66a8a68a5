import type { ValidEntry } from '../mirrors/mirror-set.js';
import { alignMirror, sameReference } from '../mirrors/naming.js';
import { hasRealMirror } from '../mirrors/registry-view.js';
import type { RuleSettings } from './rule.js';

/** True for an entry whose source is exactly the pause image's repository and whose mirrors are all exact. */
export function mirrorsPauseImage(entry: ValidEntry, { pauseImage }: RuleSettings): boolean {
  return (
    sameReference(entry.source, pauseImage.repository) &&
    hasRealMirror(entry) &&
    entry.mirrors.every(({ reference }) => alignMirror(entry.source, reference).exact)
  );
}
