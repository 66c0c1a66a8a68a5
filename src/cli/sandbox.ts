import { copyFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Reconciliation } from '../controller/controller.js';
import { pinnedKeysFile } from '../distribution/pinned-keys-file.js';
import { withoutCredentials } from '../hosts/redact.js';
import { parseManifests } from '../mirrors/manifest.js';
import { keyOf } from '../mirrors/mirror-set.js';
import { mergeRegistries } from '../mirrors/registry-view.js';
import { ocOutput } from '../sandbox/oc-output.js';
import { postReview } from '../sandbox/post-review.js';
import { exampleOrder, fileTree, headComment, routes, whatNext } from '../sandbox/story.js';
import { createWorkspace, type Workspace } from '../sandbox/workspace.js';
import type { BindAddress } from '../serving/bind-address.js';
import { writeDevelopmentCerts } from '../serving/certs-directory.js';
import { certFiles } from '../serving/served-certs.js';
import { createMetrics } from '../serving/metrics.js';
import { ServingError } from '../serving/serving-error.js';
import { untilSignal } from '../serving/shutdown.js';
import { CliError, exitCodes } from './cli-error.js';
import { painter, type Io } from './io.js';
import { runStandalone, type RunningStandalone } from './run-standalone.js';
import { SandboxTeller } from './sandbox-teller.js';

export interface SandboxFlags {
  /** One round, then exit. */
  readonly once?: boolean;
  /** Folder to work in, which is kept. */
  readonly dir?: string;
  readonly bind?: BindAddress;
}

const nodeNames = ['win-1', 'win-2', 'win-3'];
const usualBind: BindAddress = { host: '127.0.0.1', port: 8443 };
const freePort: BindAddress = { host: '127.0.0.1', port: 0 };
/** The examples are shipped beside the compiled program. */
const examplesFolder = fileURLToPath(new URL('../../manifests/examples', import.meta.url));
/** Short, since a person waits for it. */
const quietMs = 100;
/** For telling apart a slow machine from one on which nothing happens. */
const longestRoundMs = 60_000;

/** `mirrorgate sandbox`: the whole of mirrorgate on this machine, told as a story; then live until a signal. */
export async function sandbox(io: Io, flags: SandboxFlags): Promise<number> {
  const watch = untilSignal({ source: process, exit: (code) => process.exit(code) });
  const directory = await openFolder(flags.dir);
  const teller = new SandboxTeller((text) => void io.stdout.write(text), painter(io, io.stdout));
  const stops: (() => Promise<unknown>)[] = [];
  if (flags.dir === undefined) stops.push(() => rm(directory, { recursive: true, force: true }));
  try {
    const workspace = await createWorkspace(directory, examplesFolder, nodeNames);
    stops.push(() => workspace.close());
    await writeDevelopmentCerts(workspace.certs, { now: io.now() });
    const running = await start(io, flags, workspace, teller);
    stops.push(() => running.stop({ drainMs: 0 }));

    teller.opening(workspace, running.url);
    const allSynced = await Promise.race([tell(workspace, running, teller), watch.received]);
    if (allSynced === true && flags.once !== true) {
      teller.say(whatNext(workspace, running.url, 'npx mirrorgate'));
      teller.say('\nCtrl-C stops it. What happens from here on:');
      teller.goLive();
      await watch.received;
      teller.say('\nStopping.');
    }
    return allSynced === false ? exitCodes.negative : exitCodes.ok;
  } finally {
    for (const stop of stops.reverse()) await stop();
    if (flags.dir !== undefined) teller.say(`${directory} is left as it is.`);
    watch.release();
  }
}

async function openFolder(dir: string | undefined): Promise<string> {
  if (dir === undefined) return mkdtemp(join(tmpdir(), 'mirrorgate-sandbox-'));
  const items = await readdir(dir).catch(() => []);
  if (items.length > 0) {
    throw new CliError(`--dir ${dir} is not empty`, { hint: 'name a new folder, or empty this one' });
  }
  return dir;
}

async function start(
  io: Io,
  flags: SandboxFlags,
  workspace: Workspace,
  teller: SandboxTeller,
): Promise<RunningStandalone> {
  const run = (bind: BindAddress) =>
    runStandalone({
      manifests: workspace.manifests,
      inventory: workspace.inventory,
      policy: workspace.policy,
      admittedFile: join(workspace.state, 'admitted.json'),
      hostKeys: pinnedKeysFile(join(workspace.state, 'known_hosts')),
      bind,
      metricsBind: freePort,
      certs: certFiles({ directory: workspace.certs }),
      concurrency: nodeNames.length,
      quietMs,
      metrics: createMetrics(),
      now: io.now,
      events: teller.events,
    });
  if (flags.bind !== undefined) return run(flags.bind);
  try {
    return await run(usualBind);
  } catch (error) {
    if (error instanceof ServingError && error.code === 'ADDRESS_IN_USE') return run(freePort);
    throw error;
  }
}

/** Creates every example as a user would, and shows what comes of it; true when every node is in sync at the end. */
async function tell(
  workspace: Workspace,
  running: RunningStandalone,
  teller: SandboxTeller,
): Promise<boolean> {
  const ca = await readFile(join(workspace.certs, 'ca.crt'), 'utf8');
  const inForce = new Set<string>();
  await running.fleet.whenSettled();

  teller.chapter('Gate and courier: each example is created, judged, and brought to the nodes');
  teller.showNodes();
  for (const file of exampleOrder) {
    const path = join(workspace.examples, file);
    const text = await readFile(path, 'utf8');
    teller.say(`\n${headComment(text)}`);
    teller.command(`oc create -f ${file}`);
    let allowed = true;
    for (const { set } of parseManifests(text, file).sets) {
      const response = await postReview(running.url, ca, set);
      teller.answer(ocOutput('CREATE', file, set, response), response.allowed);
      allowed &&= response.allowed;
      if (response.allowed) inForce.add(keyOf(set));
    }
    if (!allowed) continue;
    // What the API server would store is what the courier works from.
    await copyFile(path, join(workspace.manifests, file));
    const before = teller.lastReconciled()?.rendered.desired.revision;
    const after = await reconciledWith(running, teller, inForce);
    if (after.rendered.desired.revision === before) teller.say('Nothing changes on Windows nodes.');
    await running.fleet.whenSettled();
  }

  const { rendered, admission, policy } = await reconciledWith(running, teller, inForce);
  const nodes = running.fleet.status();
  const [first, ...others] = workspace.nodes.filter(({ name }) =>
    nodes.some((node) => node.name === name && node.state === 'synced'),
  );
  if (first !== undefined) {
    teller.chapter('What a Windows node holds now');
    teller.say(`${first.name}: C:\\k\\containerd\\registries is ${workspace.registriesOf(first)}`);
    for (const line of fileTree(rendered.desired)) teller.say(`  ${line}`);
    if (others.length > 0) teller.say(`${others.map(({ name }) => name).join(' and ')}: the same`);
    const [directory, content] = [...rendered.desired.files].at(-1) ?? [];
    if (directory !== undefined && content !== undefined) {
      teller.command(`type ${directory}\\hosts.toml`);
      teller.say(withoutCredentials(content).trimEnd());
    }
  }

  teller.chapter('Where a Windows node looks, registry by registry');
  for (const line of routes(mergeRegistries(admission.admitted, policy.view))) teller.say(line);
  teller.say('');
  return nodes.every(({ state }) => state === 'synced');
}

/** Waits for a run of the controller in which all of the expected sets are in force. */
async function reconciledWith(
  running: RunningStandalone,
  teller: SandboxTeller,
  expected: ReadonlySet<string>,
): Promise<Reconciliation> {
  const signal = AbortSignal.timeout(longestRoundMs);
  for (;;) {
    const result = teller.lastReconciled();
    const inForce = new Set(result?.admission.admitted.map(keyOf));
    if (result !== undefined && [...expected].every((key) => inForce.has(key))) return result;
    await teller.nextReconciled(signal).catch((error: unknown) => {
      throw new CliError('the admitted sets were not taken up within a minute', {
        hint: `look at ${running.metricsUrl}/readyz`,
        exitCode: exitCodes.negative,
        cause: error,
      });
    });
  }
}
