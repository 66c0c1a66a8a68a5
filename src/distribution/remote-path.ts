/**
 * Paths on a node as SFTP names them. Win32-OpenSSH takes and gives `/C:/k/containerd` for `C:\k\containerd`;
 * servers on other systems take plain absolute paths.
 */

/** A directory on a node under which registry directories stand. */
export interface RemoteRoot {
  /** SFTP path, without a slash at its end: `/C:/k/containerd/registries`. */
  readonly path: string;
  /** Names below it that differ in case alone are the same file: true on a drive of Windows. */
  readonly foldsCase: boolean;
}

export type ParsedRemoteRoot =
  { readonly ok: true; readonly root: RemoteRoot } | { readonly ok: false; readonly fault: string };

/**
 * Parses a root as a person writes it.
 *
 * @example parseRemoteRoot('C:\\k\\containerd\\registries') // path: /C:/k/containerd/registries
 */
export function parseRemoteRoot(text: string): ParsedRemoteRoot {
  const drive = /^\/?([A-Za-z]:)(?:[\\/]|$)/.exec(text);
  const path = drive === null ? text : `/${text.replace(/^\//, '').replaceAll('\\', '/')}`;
  if (!path.startsWith('/') || path.startsWith('//')) {
    return {
      ok: false,
      fault: `"${text}" is not an absolute path; expected one like C:\\k\\containerd\\registries`,
    };
  }

  const segments = path.split('/').filter((segment) => segment !== '');
  if (segments.some((segment) => segment === '.' || segment === '..')) {
    return { ok: false, fault: `"${text}" has a "." or ".." segment; expected a plain absolute path` };
  }
  // Files are removed below the root: it must be a directory of its own, never a drive or the file system.
  if (segments.length < (drive === null ? 1 : 2)) {
    return {
      ok: false,
      fault: `"${text}" is a whole drive; expected a directory, like C:\\k\\containerd\\registries`,
    };
  }
  return { ok: true, root: { path: `/${segments.join('/')}`, foldsCase: drive !== null } };
}

/** The path of `name` in `directory`. */
export function joinRemote(directory: string, ...names: readonly string[]): string {
  return [directory, ...names].join('/');
}

/** The directory itself and those above it, outermost first: what must exist before a file can stand in it. */
export function lineageOf(directory: string): string[] {
  const segments = directory.split('/').slice(1);
  const drive = /^[A-Za-z]:$/.test(segments[0] ?? '') ? 1 : 0;
  return segments.slice(drive).map((_, index) => `/${segments.slice(0, drive + index + 1).join('/')}`);
}

/** An SFTP path as a person on the node would write it: `C:\k\containerd` for `/C:/k/containerd`. */
export function displayPath(path: string): string {
  return /^\/[A-Za-z]:(?:\/|$)/.test(path) ? path.slice(1).replaceAll('/', '\\') : path;
}
