import type { SftpStatusCode } from './sandbox-operation.js';
import { VolumeFault, type VolumeFaultReason } from './windows-volume.js';

/** Status codes of SFTP version 3. Source: draft-ietf-secsh-filexfer-02, section 7. */
export const sftpStatus = {
  ok: 0,
  endOfFile: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  badMessage: 5,
  noConnection: 6,
  connectionLost: 7,
  unsupported: 8,
} as const satisfies Record<string, SftpStatusCode>;

/** OpenSSH says no more than this with a status, so neither does the sandbox: no client can come to rely on more. */
const words: Record<SftpStatusCode, string> = {
  0: 'Success',
  1: 'End of file',
  2: 'No such file',
  3: 'Permission denied',
  4: 'Failure',
  5: 'Bad message',
  6: 'No connection',
  7: 'Connection lost',
  8: 'Operation unsupported',
};

export function wordsOf(status: SftpStatusCode): string {
  return words[status];
}

const statusOfReason: Record<VolumeFaultReason, SftpStatusCode> = {
  'not-found': sftpStatus.noSuchFile,
  denied: sftpStatus.permissionDenied,
  'bad-name': sftpStatus.failure,
  failure: sftpStatus.failure,
  'too-long': sftpStatus.badMessage,
};

/** How OpenSSH's SFTP server turns an error number into a status; whatever is not here is a plain failure. */
const statusOfErrno: Readonly<Record<string, SftpStatusCode>> = {
  ENOENT: sftpStatus.noSuchFile,
  ENOTDIR: sftpStatus.noSuchFile,
  EBADF: sftpStatus.noSuchFile,
  ELOOP: sftpStatus.noSuchFile,
  EPERM: sftpStatus.permissionDenied,
  EACCES: sftpStatus.permissionDenied,
  EFAULT: sftpStatus.permissionDenied,
  ENAMETOOLONG: sftpStatus.badMessage,
  EINVAL: sftpStatus.badMessage,
  ENOSYS: sftpStatus.unsupported,
};

/** The status for an error of the volume or of `node:fs`; `undefined` for any other, which is a fault of ours. */
export function statusOfError(error: unknown): SftpStatusCode | undefined {
  if (error instanceof VolumeFault) return statusOfReason[error.reason];
  if (!(error instanceof Error) || !('errno' in error) || !('code' in error)) return undefined;
  return statusOfErrno[String(error.code)] ?? sftpStatus.failure;
}
