import { windowsNameFault } from '../mirrors/windows-name.js';

/**
 * Paths as an SFTP client gives them to a Windows node: `/C:/k`, `C:/k` or `C:\k`, or relative to the user's home.
 * The node has one drive, C:. Stricter than Win32 where Win32 repairs what it is given: trailing dots and spaces
 * are refused, not dropped, so that a name never lands as another one than was asked for; a path without its drive
 * (`/k`), relative to a drive (`C:k`) or to a share (`//server`) is refused too.
 */
export type WindowsPath =
  /** `/`: above the drives. */
  | { readonly kind: 'drives' }
  /** A place on drive C:; no components for its root. `.` and `..` are resolved, every name is one Windows can hold. */
  | { readonly kind: 'place'; readonly components: readonly string[] }
  | { readonly kind: 'fault'; readonly reason: PathFaultReason; readonly fault: string };

/** `not-found`: there is no such drive; `bad-name`: a name Windows cannot hold; `too-long`: over MAX_PATH. */
export type PathFaultReason = 'not-found' | 'bad-name' | 'too-long';

/**
 * MAX_PATH is 260 with the terminating NUL. Source: Microsoft's "Maximum Path Length Limitation". The lower limit for
 * directories (248) is left out.
 */
const longestPath = 259;

/** Parses a path; relative ones start at `home`, components below C:. Never throws and touches no disk. */
export function parseWindowsPath(text: string, home: readonly string[]): WindowsPath {
  const path = text.replaceAll('\\', '/');
  if (path.startsWith('//')) return notFound('network shares do not exist on this node');

  const drive = /^\/?([a-zA-Z]):/.exec(path);
  if (drive !== null) {
    if (drive[1]?.toUpperCase() !== 'C') return notFound(`drive ${drive[1] ?? ''}: does not exist`);
    const rest = path.slice(drive[0].length);
    if (rest !== '' && !rest.startsWith('/')) return notFound('a path relative to a drive is not accepted');
    return placeBelow([], rest);
  }
  if (!path.startsWith('/')) return placeBelow(home, path);

  const place = placeBelow([], path);
  if (place.kind !== 'place') return place;
  if (place.components.length > 0) return notFound('an absolute path must name its drive, as in /C:/k');
  return { kind: 'drives' };
}

/** The form in which an OpenSSH server on Windows answers: `/C:/k/containerd`; `/C:/` for the root of the drive. */
export function formatSftpPath(components: readonly string[]): string {
  return `/C:/${components.join('/')}`;
}

function placeBelow(start: readonly string[], path: string): WindowsPath {
  const components = [...start];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      // As on Windows, the parent of a drive's root is the root itself.
      components.pop();
      continue;
    }
    const fault = windowsNameFault(name);
    if (fault !== undefined) return { kind: 'fault', reason: 'bad-name', fault };
    components.push(name);
  }
  const length = 'C:\\'.length + components.join('\\').length;
  if (length > longestPath) {
    const fault = `the path has ${length} characters; Windows takes at most ${longestPath}`;
    return { kind: 'fault', reason: 'too-long', fault };
  }
  return { kind: 'place', components };
}

function notFound(fault: string): WindowsPath {
  return { kind: 'fault', reason: 'not-found', fault };
}
