import { describe, expect, it } from 'vitest';
import { sftpStatus, statusOfError, wordsOf } from '../../../src/sandbox/sftp-status.js';
import { VolumeFault } from '../../../src/sandbox/windows-volume.js';

describe('statusOfError', () => {
  it.each([
    ['not-found', sftpStatus.noSuchFile],
    ['denied', sftpStatus.permissionDenied],
    ['failure', sftpStatus.failure],
    ['bad-name', sftpStatus.failure],
    ['too-long', sftpStatus.badMessage],
  ] as const)('turns what the volume calls %s into status %i', (reason, status) => {
    expect(statusOfError(new VolumeFault(reason, 'text'))).toBe(status);
  });

  it.each([
    ['ENOENT', sftpStatus.noSuchFile],
    ['EACCES', sftpStatus.permissionDenied],
    ['ENOSPC', sftpStatus.failure],
    ['ENOTEMPTY', sftpStatus.failure],
    ['ENAMETOOLONG', sftpStatus.badMessage],
  ] as const)('turns the error number %s into status %i', (code, status) => {
    expect(statusOfError(Object.assign(new Error('text'), { code, errno: -1 }))).toBe(status);
  });

  it('knows no status for an error that is no refusal', () => {
    expect(statusOfError(new TypeError('text'))).toBeUndefined();
    expect(
      statusOfError(Object.assign(new RangeError('text'), { code: 'ERR_OUT_OF_RANGE' })),
    ).toBeUndefined();
    expect(statusOfError('text')).toBeUndefined();
  });
});

describe('wordsOf', () => {
  it('has the words of OpenSSH for every status', () => {
    expect(Object.values(sftpStatus).map(wordsOf)).toEqual([
      'Success',
      'End of file',
      'No such file',
      'Permission denied',
      'Failure',
      'Bad message',
      'No connection',
      'Connection lost',
      'Operation unsupported',
    ]);
  });
});
