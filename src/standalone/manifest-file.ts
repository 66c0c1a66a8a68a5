import { createHash } from 'node:crypto';
import { parseManifests, type ParsedManifests } from '../mirrors/manifest.js';
import { messageOf } from './message-of.js';
import { readSettled } from './read-settled.js';

/** Something in the directory that is not taken up; what was read before from that file stays. */
export interface DirectoryFault {
  /** `file:line`, or the file alone. */
  readonly where: string;
  readonly message: string;
}

/** What a file of the directory says, by the last of its versions that could be taken up. */
export interface ManifestFile {
  /** SHA-256 of the text that stands there, when it is taken up. */
  readonly digest?: string;
  /** `undefined` as long as no version of it could be taken up. */
  readonly parsed: ParsedManifests | undefined;
  readonly faults: readonly DirectoryFault[];
  /** The file was not there at the last reading. */
  readonly isGone: boolean;
}

export interface ManifestFileReading {
  /** `undefined` when the file is gone for good. */
  readonly file: ManifestFile | undefined;
  /** It is being written, or has just been taken away: to be read again soon. */
  readonly isUnsettled: boolean;
}

/** Reads a file anew. Never throws: a file that cannot be read or is broken, empty or being written says what it said. */
export async function readManifestFile(
  path: string,
  before: ManifestFile | undefined,
  settling: { readonly settleMs: number; readonly now: () => number },
): Promise<ManifestFileReading> {
  const settled = (file: ManifestFile) => ({ file, isUnsettled: false });
  const parsed = before?.parsed;
  const keep = (message: string) =>
    settled({
      parsed,
      faults: [
        {
          where: path,
          message: parsed === undefined ? message : `${message}; what it said before stays in force`,
        },
      ],
      isGone: false,
    });

  let text: string;
  try {
    const found = await readSettled(path, settling.settleMs, settling.now);
    if (found.state === 'absent') return missingManifestFile(before);
    if (found.state === 'changing') {
      return { file: before ?? { parsed: undefined, faults: [], isGone: false }, isUnsettled: true };
    }
    text = found.text;
  } catch (error) {
    return keep(messageOf(error));
  }

  const digest = createHash('sha256').update(text).digest('hex');
  if (before !== undefined && before.digest === digest) return settled({ ...before, isGone: false });
  if (text.trim() === '' && parsed !== undefined && saysSomething(parsed)) return keep('is empty');

  const fresh = parseManifests(text, path);
  if (fresh.faults.length === 0) return settled({ digest, parsed: fresh, faults: [], isGone: false });
  // Half of a file is not what its author means: all of it is as it was before.
  const faults = fresh.faults.map(({ file, line, message }) => ({ where: `${file}:${line}`, message }));
  return settled({ parsed, faults, isGone: false });
}

/**
 * What becomes of a file that is not there. Some programs take a file away and write it anew: what it said goes only
 * when it is missing twice in a row.
 */
export function missingManifestFile(before: ManifestFile | undefined): ManifestFileReading {
  if (before?.parsed === undefined || before.isGone) return { file: undefined, isUnsettled: false };
  return { file: { ...before, isGone: true }, isUnsettled: true };
}

function saysSomething({ sets, insecureRegistries }: ParsedManifests): boolean {
  return sets.length > 0 || insecureRegistries.length > 0;
}
