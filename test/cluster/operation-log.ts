import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One line of an SFTP server's log. */
export interface Operation {
  /** The port from which its session has come. */
  readonly port: number;
  /** `posix-rename old "…" new "…"` */
  readonly text: string;
  /** Whether it changes a file or directory, or makes ready to. */
  readonly changes: boolean;
}

/** What the SFTP servers of nodes do for whom, in order, over all sessions of a node. */
export interface OperationLog {
  /** Command of the SFTP subsystem. */
  readonly command: string;
  at(address: string): readonly Operation[];
}

/** OpenSSH's own server, as Debian installs it; the one that sshd has inside says nothing. */
const server = '/usr/lib/openssh/sftp-server';
const change =
  /^(open .* flags WRITE|close .* written [1-9]|posix-rename|rename|remove|mkdir|rmdir|set|fsync)/;

/** @param directory of its own */
export function makeOperationLog(directory: string): OperationLog {
  mkdirSync(directory);
  const script = join(directory, 'sftp.sh');
  // sshd says who has come where: address and port of the one, then of the other. What is written to a log is added at
  // its end as a whole line, so that those of two sessions stand in the order in which they were written.
  writeFileSync(
    script,
    `set -- $SSH_CONNECTION\nexec 3>&1\n${server} -e -l INFO 2>&1 >&3 | sed -u "s/^/$2 /" >> "${directory}/$3.log"\n`,
  );
  return {
    command: `/bin/sh ${script}`,
    at(address) {
      return readLog(join(directory, `${address}.log`)).map((line) => {
        const [, port, text = ''] = /^(\d+) (.*?)\r?$/.exec(line) ?? [];
        return { port: Number(port), text, changes: change.test(text) };
      });
    },
  };
}

function readLog(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(0, -1);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
