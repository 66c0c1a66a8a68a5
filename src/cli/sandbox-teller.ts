import { once, EventEmitter } from 'node:events';
import { basename } from 'node:path';
import { admissionResponse } from '../admission/admission-response.js';
import type { Verdict } from '../controller/admit.js';
import type { Reconciliation } from '../controller/controller.js';
import type { FleetEvent } from '../distribution/fleet-event.js';
import type { Profile } from '../policy/profile.js';
import { ocOutput } from '../sandbox/oc-output.js';
import type { Workspace } from '../sandbox/workspace.js';
import type { ManifestDirectory } from '../standalone/manifest-directory.js';
import type { Paint } from './io.js';
import { newsTeller, verdictNewsTeller } from './news.js';
import type { StandaloneEvents } from './log-standalone-events.js';

/** Writes the sandbox's story, and from then on whatever happens, for a person who watches. */
export class SandboxTeller {
  readonly events: StandaloneEvents;
  readonly #write: (text: string) => void;
  readonly #paint: Paint;
  readonly #isNews = newsTeller();
  readonly #newsOf = verdictNewsTeller();
  readonly #reconciled = new EventEmitter();
  #lastReconciled: Reconciliation | undefined;
  #showNodes = false;
  #live = false;

  constructor(write: (text: string) => void, paint: Paint) {
    this.#write = write;
    this.#paint = paint;
    this.events = this.#makeEvents();
  }

  say(text: string): void {
    this.#write(`${text}\n`);
  }

  chapter(title: string): void {
    this.say(`\n${this.#paint('bold', `── ${title} ──`)}`);
  }

  command(line: string): void {
    this.say(this.#paint('cyan', `$ ${line}`));
  }

  answer(text: string, allowed: boolean): void {
    this.say(
      text
        .split('\n')
        .map((line) => {
          if (line.startsWith('Warning:')) return this.#paint('yellow', line);
          return allowed ? this.#paint('green', line) : this.#paint('red', line);
        })
        .join('\n'),
    );
  }

  opening(workspace: Workspace, url: string): void {
    this.say(this.#paint('bold', 'mirrorgate sandbox'));
    this.say(
      `Three nodes that behave as Windows nodes do (${workspace.nodes.map(({ name, port }) => `${name} on port ${port}`).join(', ')}),`,
    );
    this.say(`a webhook at ${url}, and a folder to look into: ${workspace.directory}`);
  }

  /** From now on, tells what happens at the nodes. */
  showNodes(): void {
    this.#showNodes = true;
  }

  /** From now on, tells of verdicts and faults too; those so far are known. */
  goLive(): void {
    this.#live = true;
  }

  lastReconciled(): Reconciliation | undefined {
    return this.#lastReconciled;
  }

  /** Resolves after the next run of the controller. */
  async nextReconciled(signal: AbortSignal): Promise<void> {
    await once(this.#reconciled, 'reconciled', { signal });
  }

  #makeEvents(): StandaloneEvents {
    const nothing = () => undefined;
    return {
      onReconciled: (result, directory) => {
        this.#lastReconciled = result;
        for (const verdict of result.admission.verdicts)
          this.#tellVerdict(verdict, directory, result.policy.profile);
        for (const { message } of result.rendered.findings) {
          if (this.#isNews(message, true)) this.say(this.#paint('yellow', `Warning: ${message}`));
        }
        this.#reconciled.emit('reconciled');
      },
      onFleet: (event) => {
        if (this.#showNodes) this.#tellNode(event);
      },
      onDirectoryFaults: (faults) => {
        if (faults.length === 0) this.say(this.#paint('green', 'all manifests can be read again'));
        for (const { where, message } of faults) this.say(this.#paint('red', `${where}: ${message}`));
      },
      onFile: (what, path, faults) => {
        if (faults.length === 0)
          this.say(this.#paint('green', `${what} ${path} was read again and is in force`));
        for (const fault of faults) {
          this.say(this.#paint('red', `${what} ${path}: ${fault}; the last good one stays in force`));
        }
      },
      onServing: (fault) => {
        this.say(this.#paint('yellow', `${fault.message}; ${fault.hint}`));
      },
      onCertsReloaded: (expires) => {
        this.say(`certificate reloaded; it is valid until ${expires.toISOString()}`);
      },
      onInternalFault: (error) => {
        this.say(
          this.#paint('red', `internal fault: ${error instanceof Error ? error.message : String(error)}`),
        );
      },
      onReviewed: nothing,
      onRefused: nothing,
    };
  }

  #tellVerdict(verdict: Verdict, directory: ManifestDirectory, profile: Profile): void {
    const { review, judgement, outcome } = verdict;
    const { set, operation } = review;
    const news = this.#newsOf(verdict);
    if (news.type === 'nothing' || !this.#live) return;
    const manifest = directory.manifestOf(set);
    const file = manifest === undefined ? set.name : basename(manifest.file);
    const judged = news.type === 'verdict' ? judgement : { ...judgement, findings: news.findings };
    const { response } = admissionResponse({ uid: '', ...set }, judged, profile);
    if (news.type === 'findings') {
      // Nobody has touched it: only what is new about it is told.
      for (const warning of response.warnings ?? []) {
        this.say(this.#paint('yellow', `Warning: ${set.kind} "${set.name}": ${warning}`));
      }
      return;
    }
    this.say('');
    this.answer(ocOutput(operation, file, set, response), response.allowed);
    if (outcome === 'last-good-kept') this.say('Its last good version stays in force.');
    if (outcome === 'kept-out') this.say('It is kept out: nothing changes on the nodes.');
    if (outcome === 'removal-refused') this.say('It stays in force although its manifest is gone.');
  }

  #tellNode(event: FleetEvent): void {
    switch (event.type) {
      case 'synced': {
        const { written, removed, unchanged } = event.result;
        if (written.length + removed.length === 0) break;
        const changes = [
          ...(written.length > 0 ? [`wrote ${written.join(', ')}`] : []),
          ...(removed.length > 0 ? [`removed ${removed.join(', ')}`] : []),
          ...(unchanged > 0 ? [`${unchanged} unchanged`] : []),
        ];
        this.say(
          `${this.#paint('bold', event.node)} ${this.#paint('green', 'in sync')} in ${Math.round(event.duration)} ms: ${changes.join('; ')}`,
        );
        break;
      }
      case 'failed':
        this.say(
          `${this.#paint('bold', event.node)} ${this.#paint('red', 'failed')}: ${event.error.message}; ${event.error.hint}; next try in ${Math.round(event.retryIn / 1000)} s`,
        );
        break;
      case 'host-key-pinned':
        this.say(`${this.#paint('bold', event.node)} host key pinned: ${event.fingerprint}`);
        break;
      case 'syncing':
        break;
    }
  }
}
