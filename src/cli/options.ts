import { InvalidArgumentError, Option, type Command } from 'commander';
import { profiles } from '../policy/profile.js';
import { parseBindAddress, type BindAddress } from '../serving/bind-address.js';
import { logFormats, logLevels } from './log-flags.js';

/** Options that several commands have, with how their values are read. */
export function policyOptions(command: Command): Command {
  return command
    .option('--policy <file>', 'policy file (kind MirrorPolicy); default: the built-in policy')
    .addOption(
      new Option('--profile <profile>', "profile, in place of the policy file's").choices([...profiles]),
    );
}

/** What every long-running command that serves the webhook takes. */
export function servingOptions(command: Command): Command {
  return command
    .addOption(
      addressOption('--bind <address>', 'webhook and check service (port 0 picks one)', '0.0.0.0:8443'),
    )
    .addOption(addressOption('--metrics-bind <address>', 'metrics and health', '127.0.0.1:8080'))
    .option('--tls-cert <file>', 'certificate, with --tls-key')
    .option('--tls-key <file>', 'private key, with --tls-cert')
    .option('--client-ca <file>', 'demand client certificates of this authority on /validate')
    .option('--concurrency <n>', 'nodes that are synced at the same time', positiveInteger, 10)
    .option('--drain-time <seconds>', 'how long to go on answering after a stop signal', nonNegative, 10)
    .addOption(
      new Option('--log-level <level>', 'least level that is logged').choices([...logLevels]).default('info'),
    )
    .addOption(new Option('--log-format <format>', 'default: text on a terminal').choices([...logFormats]));
}

export function addressOption(flags: string, description: string, fallback?: string): Option {
  const option = new Option(flags, description).argParser(address);
  return fallback === undefined ? option : option.default(address(fallback), fallback);
}

function address(text: string): BindAddress {
  const parsed = parseBindAddress(text);
  if (!parsed.ok) throw new InvalidArgumentError(parsed.fault);
  return parsed.address;
}

function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 1 up');
  return Number(text);
}

function nonNegative(text: string): number {
  if (!/^\d{1,6}(\.\d+)?$/.test(text)) throw new InvalidArgumentError('expected a number from 0 up');
  return Number(text);
}
