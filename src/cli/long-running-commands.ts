/** The command lines of the modes that run until they are stopped. */
import { InvalidArgumentError, type Command } from 'commander';
import { policyOptions, servingOptions } from './options.js';

/** An object that a flag names: `namespace/name`. */
export interface NamedObject {
  readonly namespace: string;
  readonly name: string;
}

export function addServe(program: Command): Command {
  const command = program
    .command('serve')
    .description(
      'gate and courier for a cluster: the admission webhook, and distribution by one elected replica',
    )
    .option(
      '--kubeconfig <file>',
      'default: the service account of the pod, then KUBECONFIG, then ~/.kube/config',
    )
    .option('--context <name>', 'context of the kubeconfig, in place of its current one')
    .option('--namespace <name>', 'where mirrorgate keeps its Lease and Secrets; default: POD_NAMESPACE')
    .option('--identity <name>', 'name of this replica in the Lease; default: POD_NAME, then the host name')
    .option(
      '--webhook-configuration <name>',
      'ValidatingWebhookConfiguration whose caBundle is kept right',
      'mirrorgate',
    )
    .option('--service <name>', 'Service that the self-managed certificate is for', 'mirrorgate')
    .option('--ca-lifetime <days>', 'life of a self-managed authority', days, 5 * 365)
    .option('--cert-lifetime <days>', 'life of a self-managed certificate', days, 90)
    .option(
      '--pull-secret <ns/name>',
      'Secret with the credentials to render, or none',
      objectOrNone,
      at('openshift-config', 'pull-secret'),
    )
    .option(
      '--ssh-key <ns/name>',
      'Secret with the private key for the nodes',
      object,
      at(wmco, 'cloud-private-key'),
    )
    .option(
      '--windows-instances <ns/name>',
      'ConfigMap of the instances that WMCO is given, or none',
      objectOrNone,
      at(wmco, 'windows-instances'),
    )
    .option(
      '--wmco-host-keys <ns/name>',
      'ConfigMap of the host keys that WMCO has pinned, or none',
      objectOrNone,
      at(wmco, 'windows-ssh-host-keys'),
    );
  return policyOptions(servingOptions(command));
}

export function addStandalone(program: Command): Command {
  const command = program
    .command('standalone')
    .description('gate and courier for a directory of manifests and an inventory of nodes, no cluster needed')
    .requiredOption('--manifests <dir>', 'directory of mirror sets, followed as it changes')
    .requiredOption('--inventory <file>', 'YAML file of nodes')
    .option('--pull-secret <file>', 'pull secret whose credentials are rendered')
    .option('--known-hosts <file>', 'OpenSSH known_hosts file; default: keys are pinned at first use')
    .option('--state <dir>', 'what is remembered across restarts; default: .mirrorgate beside the inventory')
    .option('--certs-dir <dir>', 'directory with tls.crt and tls.key', 'certs');
  return policyOptions(servingOptions(command));
}

const wmco = 'openshift-windows-machine-config-operator';

/** A default, which commander shows in its help as it is written on the command line. */
function at(namespace: string, name: string): NamedObject {
  const named = { namespace, name };
  Object.defineProperty(named, 'toJSON', { value: () => `${namespace}/${name}` });
  return named;
}

function object(text: string): NamedObject {
  const [namespace, name, ...more] = text.split('/');
  const isName = (part: string | undefined) =>
    part !== undefined && /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/.test(part);
  if (!isName(namespace) || !isName(name) || more.length > 0)
    throw new InvalidArgumentError(`expected namespace/name, found "${text.slice(0, 80)}"`);
  return { namespace: namespace as string, name: name as string };
}

function objectOrNone(text: string): NamedObject | 'none' {
  return text === 'none' ? text : object(text);
}

/** Fractions are for trying out what happens at a renewal. */
function days(text: string): number {
  const number = /^\d{1,5}(\.\d{1,6})?$/.test(text) ? Number(text) : 0;
  if (number <= 0) throw new InvalidArgumentError('expected a number of days above 0');
  return number;
}
