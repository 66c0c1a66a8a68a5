import type { HostKeyVerdict, SshHost } from '../distribution/host-key-store.js';
import { judgeKey, keyTypes, linesFor } from '../distribution/known-hosts.js';
import { isApiError } from './api-error.js';
import {
  addPin,
  describeLines,
  mergePins,
  noPins,
  readPins,
  removalHint,
  samePins,
  toPinSecret,
  type HostKeyPins,
} from './host-key-pins.js';
import type { KubeClient } from './kube-client.js';
import { resources, type KubeObject } from './kube-object.js';
import { currentObject, formatKey, type NamedObject } from './object-source.js';

export type PinSecretClient = Pick<KubeClient, 'get' | 'create' | 'replace'>;

/** A check that waits for its turn. */
interface Waiting {
  readonly host: SshHost;
  readonly key: Buffer;
  readonly resolve: (verdict: HostKeyVerdict) => void;
  readonly reject: (error: unknown) => void;
}

/** What the Secret was seen to hold. */
interface Memory {
  readonly object: KubeObject;
  readonly pins: HostKeyPins;
}

/** Each failure means that somebody else has written meanwhile. */
const mostAttempts = 8;

/**
 * Trust on first use, with the pins in a Secret. A key that is on record is judged by what is known of the Secret;
 * anything else by the Secret itself, read anew, so that what an administrator has just changed holds. Checks that
 * wait at the same time are pinned by one write.
 *
 * A Secret that is deleted, or made anew, takes no pin with it while this process runs: the pins that it held are
 * written back. To take a pin out is to remove its key from the Secret.
 */
export class PinSecret {
  readonly #client: PinSecretClient;
  readonly #secret: NamedObject;
  #memory: Memory | undefined;
  #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(client: PinSecretClient, secret: NamedObject) {
    this.#client = client;
    this.#secret = secret;
    this.#listen();
    secret.objects.onChange(() => {
      this.#listen();
    });
  }

  /** @throws Error when the Secret is not known yet */
  keyTypes(host: SshHost): string[] {
    return keyTypes(linesFor(this.#known().lines, host));
  }

  /** A verdict when the key is revoked, whoever else trusts it. */
  revocation(host: SshHost, key: Buffer): HostKeyVerdict | undefined {
    const verdict = this.#judge(this.#known(), host, key);
    return verdict?.accepted === false && verdict.reason === 'revoked' ? verdict : undefined;
  }

  /** @throws Error when a key that was never seen cannot be pinned, or the Secret is not known */
  async check(host: SshHost, key: Buffer): Promise<HostKeyVerdict> {
    const verdict = this.#judge(this.#known(), host, key);
    if (verdict?.accepted === true && !this.#isLost(currentObject(this.#secret) ?? undefined)) return verdict;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ host, key, resolve, reject });
      void this.#runAll();
    });
  }

  /** One batch after another. */
  async #runAll(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        const verdicts = await this.#settle(batch);
        batch.forEach(({ resolve }, index) => {
          const verdict = verdicts[index];
          if (verdict !== undefined) resolve(verdict);
        });
      } catch (error) {
        for (const waiting of batch) this.#settleWithoutSecret(waiting, error);
      }
    }
    this.#isRunning = false;
  }

  /** Judges by the Secret as it is, and pins what was never seen. */
  async #settle(batch: readonly Waiting[]): Promise<HostKeyVerdict[]> {
    let lost: unknown;
    for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
      const object = await this.#client.get(resources.secrets, this.#secret.key);
      let pins = this.#view(object);
      const verdicts = batch.map(({ host, key }): HostKeyVerdict => {
        const verdict = this.#judge(pins, host, key);
        if (verdict !== undefined) return verdict;
        pins = addPin(pins, host, key);
        return { accepted: true, pinned: true };
      });
      const held = object === undefined ? noPins : readPins(object, pins);
      if (samePins(pins, held)) {
        if (object !== undefined) this.#remember(object);
        return verdicts;
      }
      try {
        this.#remember(await this.#write(object, pins));
        return verdicts;
      } catch (error) {
        if (!isApiError(error, 'conflict', 'already-exists', 'not-found')) throw error;
        lost = error;
      }
    }
    throw new Error(`others write it all the time (${mostAttempts} attempts)`, { cause: lost });
  }

  #write(before: KubeObject | undefined, pins: HostKeyPins): Promise<KubeObject> {
    const object = toPinSecret(this.#secret.key, before, pins);
    return before === undefined
      ? this.#client.create(resources.secrets, object)
      : this.#client.replace(resources.secrets, object);
  }

  /** Who is on record is judged by the record; nobody new is trusted. */
  #settleWithoutSecret({ host, key, resolve, reject }: Waiting, error: unknown): void {
    try {
      const verdict = this.#judge(this.#known(), host, key);
      if (verdict !== undefined) {
        resolve(verdict);
        return;
      }
      const why = error instanceof Error ? error.message : String(error);
      const where = `Secret ${formatKey(this.#secret.key)}`;
      reject(new Error(`the key of ${host.name} cannot be pinned in ${where}: ${why}`, { cause: error }));
    } catch (fault) {
      reject(fault);
    }
  }

  #judge(pins: HostKeyPins, host: SshHost, key: Buffer): HostKeyVerdict | undefined {
    const { key: secret } = this.#secret;
    return judgeKey(linesFor(pins.lines, host), key, (lines) =>
      lines.some(({ revoked }) => revoked)
        ? `the key is revoked by ${describeLines(secret, lines)}: do not use this host; give it a new host key`
        : removalHint(secret, host, lines),
    );
  }

  #known(): HostKeyPins {
    const object = currentObject(this.#secret);
    if (object === undefined)
      throw new Error(`the pins in Secret ${formatKey(this.#secret.key)} are not known yet`);
    return this.#view(object ?? undefined);
  }

  #listen(): void {
    const object = currentObject(this.#secret);
    if (object != null) this.#remember(object);
  }

  /** What an object holds is what counts, unless it has taken the place of one that held more. */
  #view(object: KubeObject | undefined): HostKeyPins {
    const known = this.#memory?.pins ?? noPins;
    if (object === undefined || object === this.#memory?.object) return known;
    const pins = readPins(object, known);
    return this.#isLost(object) ? mergePins(known, pins) : pins;
  }

  /** True when the Secret that held the pins is not there, or another one is. */
  #isLost(object: KubeObject | undefined): boolean {
    if (this.#memory === undefined) return false;
    return object === undefined || object.metadata.uid !== this.#memory.object.metadata.uid;
  }

  #remember(object: KubeObject): void {
    const pins = this.#view(object);
    // One that was made anew is taken for the Secret once it holds all that was known.
    if (this.#isLost(object) && !samePins(pins, readPins(object, pins))) return;
    this.#memory = { object, pins };
  }
}
