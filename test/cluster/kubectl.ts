import { execFile } from 'node:child_process';

export interface KubectlOptions {
  /** What it reads from standard input. */
  readonly input?: string;
  /** In place of the administrator's. */
  readonly kubeconfig?: string;
  /** Variables beside its own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default false: an exit code other than 0 is an error. When true, 0 is one. */
  readonly expectFailure?: boolean;
}

export interface KubectlResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** A kubectl of the test's own: it sees no configuration or cache of whoever runs the tests. */
export interface Kubectl {
  readonly program: string;
  /** Takes the cache of what kinds the server has. */
  readonly home: string;
  readonly kubeconfig: string;
}

/** Longer than any `kubectl wait` of the tests. */
const timeout = 180_000;

/** Runs kubectl to its end. */
export async function runKubectl(
  { program, home, kubeconfig: ownKubeconfig }: Kubectl,
  args: readonly string[],
  { input = '', kubeconfig = ownKubeconfig, env: more = {}, expectFailure = false }: KubectlOptions = {},
): Promise<KubectlResult> {
  const env = {
    PATH: process.env['PATH'],
    HOME: home,
    KUBECONFIG: kubeconfig,
    NO_COLOR: '1',
    LANG: 'C.UTF-8',
    ...more,
  };
  const result = await new Promise<KubectlResult>((resolve, reject) => {
    const child = execFile(
      program,
      args,
      { env, timeout, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 ** 2, encoding: 'utf8' },
      (error, stdout, stderr) => {
        if (error !== null && typeof error.code !== 'number')
          reject(new Error(`kubectl ${args.join(' ')} did not end well: ${stderr}`, { cause: error }));
        else resolve({ stdout, stderr, code: error === null ? 0 : Number(error.code) });
      },
    );
    // It need not read it all, or any of it.
    child.stdin?.on('error', () => undefined).end(input);
  });
  if (result.code === 0 && expectFailure)
    throw new Error(`kubectl ${args.join(' ')} should have failed:\n${result.stdout}${result.stderr}`);
  if (result.code !== 0 && !expectFailure)
    throw new Error(`kubectl ${args.join(' ')} ended with ${result.code}:\n${result.stderr}${result.stdout}`);
  return result;
}
