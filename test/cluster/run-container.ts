import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { vi } from 'vitest';
import { requireProgram } from '../conformance/program.js';
import type { BuiltImage } from './build-image.js';
import { untilDeath } from './until-death.js';

export interface ContainerOptions {
  readonly args: readonly string[];
  /** Numeric; default: the image's own. Its group is 0, as on OpenShift. */
  readonly user?: number;
  /** Folder of this machine that stands in for the container's /tmp. */
  readonly tmp: string;
}

export interface Container {
  readonly pid: number;
  /** What it has written so far, both streams. */
  output(): string;
  /** Resolves once the output matches; rejects with the output when it has ended before, or after a minute. */
  sees(pattern: RegExp): Promise<RegExpExecArray>;
  /** A field of /proc/PID/status, such as `Uid` or `CapEff`. */
  status(field: string): string;
  /** How its root is mounted: the options of that line in /proc/PID/mountinfo. */
  rootMount(): string;
  signal(signal: NodeJS.Signals): void;
  /** The exit code, or the signal that ended it. */
  ended(): Promise<number | NodeJS.Signals>;
}

/**
 * The root file system read-only, /proc, four devices, /tmp, and nothing else; then the program, with the shell's process
 * id. The arguments: mount, unshare and setpriv, the root, the folder for /tmp, user, working directory, command.
 */
const script = `
set -eu
mount=$1 unshare=$2 setpriv=$3 root=$4 tmp=$5 user=$6 workdir=$7
shift 7
"$mount" --bind "$root" "$root"
"$mount" -t proc -o nosuid,nodev,noexec proc "$root/proc"
"$mount" -t tmpfs -o nosuid,mode=755 tmpfs "$root/dev"
for device in null zero random urandom; do
  : >"$root/dev/$device"
  "$mount" --bind "/dev/$device" "$root/dev/$device"
done
"$mount" --bind "$tmp" "$root/tmp"
"$mount" -o remount,bind,ro "$root"
exec "$setpriv" --no-new-privs -- "$unshare" --root="$root" --wd="$workdir" --setgid=0 --setuid="$user" -- "$@"
`;

/**
 * Starts the image's entry point as a kubelet would for a pod with `readOnlyRootFilesystem`, no privilege escalation and
 * no capabilities: with the image's environment and nothing of this process's. The network is this machine's.
 */
export function runContainer({ config, rootfs }: BuiltImage, options: ContainerOptions): Container {
  const { args, user = Number(config.User), tmp } = options;
  const [mount, unshare, setpriv] = ['mount', 'unshare', 'setpriv'].map((name) =>
    requireProgram(name, name === 'mount' ? 'mount' : 'util-linux'),
  ) as [string, string, string];
  const inside = [mount, unshare, setpriv, rootfs, tmp, String(user), config.WorkingDir];
  const namespace = ['--mount', '--propagation=private', '--', '/bin/sh', '-c', script, 'container'];
  const command = untilDeath(unshare, [...namespace, ...inside, ...config.Entrypoint, ...args]);
  const child = spawn(command.program, command.args, {
    env: Object.fromEntries(config.Env.map((line) => [nameOf(line), line.slice(nameOf(line).length + 1)])),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const pid = child.pid ?? -1;
  const proc = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8');
  return {
    pid,
    output: () => output,
    sees: (pattern) =>
      vi.waitFor(
        () => {
          const match = pattern.exec(output);
          if (match === null) throw new Error(`the output does not match ${String(pattern)}:\n${output}`);
          return match;
        },
        { timeout: 60_000, interval: 50 },
      ),
    status: (field) => new RegExp(`^${field}:[ \\t]*(.*)$`, 'm').exec(proc('status'))?.[1] ?? '',
    rootMount: () => {
      const line = proc('mountinfo')
        .split('\n')
        .find((candidate) => candidate.split(' ')[4] === '/');
      return line?.split(' ')[5] ?? '';
    },
    signal: (signal) => void child.kill(signal),
    async ended() {
      const [code, signal] = await closed;
      return code ?? signal ?? -1;
    },
  };
}

function nameOf(line: string): string {
  return line.slice(0, line.indexOf('='));
}
