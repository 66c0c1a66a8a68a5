/**
 * Pins of host keys in a Secret: one key of the Secret for each host, with lines of known_hosts format. So one pin can
 * be taken out by a command that touches no other. A key of any other name, such as `known_hosts`, may hold lines that
 * a person wrote.
 */
import type { SshHost } from '../distribution/host-key-store.js';
import { parseKnownHosts, withPin, type KnownHostLine } from '../distribution/known-hosts.js';
import type { KubeObject, ObjectKey } from './kube-object.js';
import { formatKey } from './object-source.js';
import { secretKeys, secretText } from './secret-text.js';

/** A line that stands under a key of the Secret. */
export interface PinnedLine extends KnownHostLine {
  readonly slot: string;
}

interface Slot {
  readonly text: string;
  readonly lines: readonly PinnedLine[];
}

export interface HostKeyPins {
  /** By key of the Secret. */
  readonly slots: ReadonlyMap<string, Slot>;
  readonly lines: readonly PinnedLine[];
}

export const noPins: HostKeyPins = fromSlots(new Map());

/** @param known pins read before: what has not changed since is not parsed again */
export function readPins(secret: KubeObject, known: HostKeyPins): HostKeyPins {
  return fromSlots(
    new Map(
      secretKeys(secret).map((slot) => {
        const text = secretText(secret, slot) ?? '';
        const same = known.slots.get(slot);
        return [slot, same?.text === text ? same : parseSlot(slot, text)];
      }),
    ),
  );
}

/** The pins, and one more for a key that a host has shown. */
export function addPin(pins: HostKeyPins, host: SshHost, key: Buffer): HostKeyPins {
  const slot = slotOf(host);
  const text = withPin(pins.slots.get(slot)?.text ?? '', host, key);
  return fromSlots(new Map([...pins.slots, [slot, parseSlot(slot, text)]]));
}

/** All pins; where both have the same key of the Secret, that of `upper`. */
export function mergePins(lower: HostKeyPins, upper: HostKeyPins): HostKeyPins {
  return fromSlots(new Map([...lower.slots, ...upper.slots]));
}

/** True when every key of the Secret says the same in both. */
export function samePins(left: HostKeyPins, right: HostKeyPins): boolean {
  return (
    left.slots.size === right.slots.size &&
    [...left.slots].every(([slot, { text }]) => right.slots.get(slot)?.text === text)
  );
}

/**
 * The Secret as it is to be written.
 *
 * @param before the object as it is, whose version must still be the newest when it is replaced
 */
export function toPinSecret(key: ObjectKey, before: KubeObject | undefined, pins: HostKeyPins): KubeObject {
  const held =
    before === undefined ? undefined : (before['data'] as Readonly<Record<string, unknown>> | undefined);
  const data = Object.fromEntries(
    [...pins.slots].map(([slot, { text }]) => {
      const isHeld = before !== undefined && secretText(before, slot) === text;
      return [slot, isHeld ? held?.[slot] : Buffer.from(text).toString('base64')];
    }),
  );
  if (before !== undefined) return { ...before, data };
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      namespace: key.namespace,
      name: key.name,
      labels: { 'app.kubernetes.io/managed-by': 'mirrorgate' },
    },
    type: 'Opaque',
    data,
  };
}

/** How a person takes out the pins that a host's new key does not agree with. */
export function removalHint(key: ObjectKey, host: SshHost, lines: readonly PinnedLine[]): string {
  const slot = slotOf(host);
  const others = lines.filter((line) => line.slot !== slot);
  const steps: string[] = [];
  if (others.length > 0) steps.push(`correct ${describeLines(key, others)}`);
  if (others.length < lines.length) {
    const patch = JSON.stringify([{ op: 'remove', path: `/data/${slot}` }]);
    steps.push(
      `take out its pin, and the new key is pinned: kubectl -n ${key.namespace ?? ''} patch secret ${key.name} ` +
        `--type=json -p='${patch}'`,
    );
  }
  return `if the node was reinstalled, compare the fingerprint with the node's own and ${steps.join('; then ')}`;
}

/** `line 3 of "known_hosts" in Secret mirrorgate/mirrorgate-host-keys`. */
export function describeLines(key: ObjectKey, lines: readonly PinnedLine[]): string {
  const places = lines.map(({ line, slot }) => `line ${line} of "${slot}"`);
  return `${places.join(', ')} in Secret ${formatKey(key)}`;
}

const longestName = 240;

/**
 * The Secret's key for a host: `10.0.0.5_22`. A key may have letters, digits, `-`, `_`, `.`, and 253 characters; whom
 * a line is about is said by the line, so two hosts that come to the same key do no harm.
 */
function slotOf({ address, port }: SshHost): string {
  const name = address.toLowerCase().replace(/[^a-z0-9._-]/g, '-');
  return `${name.slice(0, longestName)}_${port}`;
}

function parseSlot(slot: string, text: string): Slot {
  return { text, lines: parseKnownHosts(text).map((line) => ({ ...line, slot })) };
}

function fromSlots(slots: ReadonlyMap<string, Slot>): HostKeyPins {
  return { slots, lines: [...slots.values()].flatMap(({ lines }) => lines) };
}
