import type { MirrorSetKind } from '../mirrors/mirror-set.js';

/** A hole in the policy that whoever runs the cluster has granted, with its reason and its end. */
export interface Exemption {
  readonly reason: string;
  /** The first moment at which it no longer holds. */
  readonly expires: Date;
  /** An absent list matches everything; all lists that are present must match. */
  readonly match: {
    readonly kinds?: readonly MirrorSetKind[];
    /** Globs over the object's name: `*` is any text, `?` one character. */
    readonly names?: readonly string[];
    readonly users?: readonly string[];
    readonly groups?: readonly string[];
    readonly rules?: readonly string[];
  };
}

/** Who makes a request, as the API server tells; unknown on the command line and in the background. */
export interface Requester {
  readonly name: string;
  readonly groups: readonly string[];
}

/** True when the exemption covers a rule's findings on an object, its dates aside. */
export function exemptionMatches(
  { match }: Exemption,
  subject: {
    readonly kind: MirrorSetKind;
    readonly name: string;
    readonly rule: string;
    readonly requester: Requester | undefined;
  },
): boolean {
  const { kind, name, rule, requester } = subject;
  if (match.kinds?.includes(kind) === false) return false;
  if (match.names?.some((glob) => globMatches(glob, name)) === false) return false;
  if (match.rules?.includes(rule) === false) return false;
  if (match.users === undefined && match.groups === undefined) return true;
  // Who is named by user or by group is meant: either list may let a requester in.
  return (
    requester !== undefined &&
    (match.users?.includes(requester.name) === true ||
      match.groups?.some((group) => requester.groups.includes(group)) === true)
  );
}

function globMatches(glob: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let afterStar = 0;
  // A pattern made from the glob would backtrack without end on some names, and names are chosen by those judged.
  for (let position = 0; position < name.length;) {
    if (glob[at] === '*') {
      star = at++;
      afterStar = position;
    } else if (glob[at] === '?' || glob[at] === name[position]) {
      at += 1;
      position += 1;
    } else if (star !== -1) {
      // The last star takes one character more.
      at = star + 1;
      position = afterStar += 1;
    } else {
      return false;
    }
  }
  while (glob[at] === '*') at += 1;
  return at === glob.length;
}
