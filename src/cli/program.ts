import { basename } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import type { CertsFlags } from './certs.js';
import type { CheckFlags } from './check.js';
import { CliError, exitCodes } from './cli-error.js';
import type { ExplainFlags } from './explain.js';
import { painter, type Io } from './io.js';
import { addServe, addStandalone } from './long-running-commands.js';
import { addressOption, policyOptions } from './options.js';
import type { RenderFlags } from './render.js';
import type { SandboxFlags } from './sandbox.js';
import type { ServeFlags } from './serve.js';
import type { StandaloneFlags } from './standalone.js';

/**
 * Runs one command line.
 *
 * @param argv as `process.argv`: interpreter, program, arguments
 * @returns the exit code: 0 done, 1 done and the answer is no, 2 wrong usage or input, 70 a fault of mirrorgate
 */
export async function runProgram(argv: readonly string[], io: Io): Promise<number> {
  let exitCode: number = exitCodes.ok;
  const program = createProgram(argv, io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv);
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    return report(error, io, program.opts<{ verbose?: boolean }>().verbose === true);
  }
}

/** One place turns a failure into words: one line and a hint; the stack only when asked for. */
function report(error: unknown, io: Io, verbose: boolean): number {
  const paint = painter(io, io.stderr);
  const message = error instanceof Error ? error.message : String(error);
  const hint =
    typeof error === 'object' && error !== null && 'hint' in error && typeof error.hint === 'string'
      ? error.hint
      : undefined;
  const expected = error instanceof CliError || hint !== undefined;
  for (const line of message.split('\n')) io.stderr.write(`${paint('red', 'error:')} ${line}\n`);
  if (hint !== undefined) io.stderr.write(`${paint('cyan', 'hint:')} ${hint}\n`);
  if (verbose && error instanceof Error) io.stderr.write(`${stackOf(error)}\n`);
  else if (!expected) io.stderr.write(`${paint('cyan', 'hint:')} --verbose shows where this came from\n`);
  if (error instanceof CliError) return error.exitCode;
  return expected ? exitCodes.usage : exitCodes.internal;
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by: ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}

function createProgram(argv: readonly string[], io: Io, exit: (code: number) => void): Command {
  const isPlugin = basename(argv[1] ?? '').startsWith('kubectl-');
  const name = isPlugin ? 'kubectl mirrorgate' : 'mirrorgate';
  const program = new Command(name)
    .description(
      'Guards the image mirror sets of clusters with Windows nodes, and brings what it admits to those nodes',
    )
    .option('--verbose', 'show where an error came from')
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError(`(${name} --help shows the usage)`)
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
    });
  const example = (command: Command, ...lines: string[]) =>
    command.addHelpText('after', `\nExample:\n${lines.map((line) => `  $ ${name} ${line}`).join('\n')}`);
  example(
    policyOptions(
      program
        .command('check')
        .description('judge mirror sets before they reach a cluster')
        .argument('<file...>', 'manifests: files, directories, globs, or - for stdin')
        .addOption(
          new Option('-o, --output <format>', 'output format').choices(['text', 'json']).default('text'),
        )
        .option('--strict', 'a warning fails the check too')
        .option('--audit', 'show what is only recorded, too (text output)'),
    ).action(async (files: string[], flags: CheckFlags) => {
      const { check } = await import('./check.js');
      exit(await check(io, files, flags));
    }),
    'check manifests/',
    'check -o json mirror.yaml',
  ).addHelpText(
    'after',
    '\nExit codes: 0 clean or warnings only, 1 something denies, 2 wrong usage or unreadable input',
  );

  example(
    policyOptions(
      program
        .command('render')
        .description('render the hosts.toml tree that Windows nodes would hold')
        .argument('<file...>', 'manifests: files, directories, globs, or - for stdin')
        .option('--out <dir>', 'write the tree to this directory, credentials included')
        .addOption(new Option('--diff <dir>', 'show what would change in this directory').conflicts('out'))
        .option('--pull-secret <file>', 'pull secret (.dockerconfigjson or Secret manifest) for credentials'),
    ).action(async (files: string[], flags: RenderFlags) => {
      const { render } = await import('./render.js');
      exit(await render(io, files, flags));
    }),
    'render mirror.yaml',
    'render manifests/ --out registries/',
    'render manifests/ --diff registries/',
  ).addHelpText(
    'after',
    '\nExit codes: 0 done, 1 --diff found a difference, 2 wrong usage or unreadable input',
  );

  example(
    policyOptions(
      program
        .command('explain')
        .description('show where Windows and Linux nodes look for an image, in order')
        .argument('<image>', 'image name with tag or digest, as a pod names it')
        .requiredOption('-f, --file <file...>', 'mirror sets: files, directories, globs, or - for stdin'),
    ).action(async (image: string, flags: ExplainFlags) => {
      const { explain } = await import('./explain.js');
      exit(await explain(io, image, flags));
    }),
    'explain quay.io/remote-org/image:1.2 -f tag-mirror.yaml',
  );

  example(
    addServe(program).action(async (flags: ServeFlags) => {
      checkTlsFlags(flags);
      const { serve } = await import('./serve.js');
      exit(await serve(io, flags));
    }),
    'serve --kubeconfig ~/.kube/config --namespace mirrorgate',
  );

  example(
    addStandalone(program).action(async (flags: StandaloneFlags) => {
      checkTlsFlags(flags);
      const { standalone } = await import('./standalone.js');
      exit(await standalone(io, flags));
    }),
    'standalone --manifests manifests/ --inventory inventory.yaml',
  );

  example(
    program
      .command('sandbox')
      .description('run everything here and now, with nodes that behave as Windows nodes do')
      .option('--once', 'one round, then exit')
      .option('--dir <dir>', 'work in this directory and keep it; default: a temporary one')
      .addOption(
        addressOption(
          '--bind <address>',
          'webhook and check service; default: 127.0.0.1:8443, or a free port',
        ),
      )
      .action(async (flags: SandboxFlags) => {
        const { sandbox } = await import('./sandbox.js');
        exit(await sandbox(io, flags));
      }),
    'sandbox --once',
  );

  example(
    program
      .command('certs')
      .description('write a development authority and server certificate')
      .option('--certs-dir <dir>', 'directory for ca.crt, tls.crt and tls.key', 'certs')
      .option('--host <name...>', "names or addresses beside this machine's own", [])
      .option('--force', 'replace what is there, the authority included')
      .action(async (flags: CertsFlags) => {
        const { certs } = await import('./certs.js');
        exit(await certs(io, flags));
      }),
    'certs --host mirrorgate.example.com',
  );
  return program;
}

function checkTlsFlags({ tlsCert, tlsKey }: { readonly tlsCert?: string; readonly tlsKey?: string }): void {
  if ((tlsCert === undefined) === (tlsKey === undefined)) return;
  throw new CliError('--tls-cert and --tls-key go together', {
    hint: 'give both, or neither',
  });
}
