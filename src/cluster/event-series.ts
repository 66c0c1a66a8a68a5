import { cutToBytes } from './cut-to-bytes.js';
import type { KubeObject } from './kube-object.js';

/** An object that an Event is about; cluster-scoped. */
export interface EventRegarding {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Left out for Nodes: their Events carry the name, as the kubelet's do, and `kubectl describe node` looks for it. */
  readonly uid?: string | undefined;
}

/** Something to tell people at an object. */
export interface EventToRecord {
  readonly regarding: EventRegarding;
  readonly type: 'Normal' | 'Warning';
  /** Why, in CamelCase: what programs look for. */
  readonly reason: string;
  /** What was done, or tried, in CamelCase. */
  readonly action: string;
  /** For people. What is over 1,024 bytes is cut off. */
  readonly note: string;
}

/** The same Event once or several times, as one object in the cluster. Times are in ms since the epoch. */
export interface EventSeries {
  readonly key: string;
  readonly event: EventToRecord;
  /** Name of the Event object. */
  readonly name: string;
  readonly first: number;
  last: number;
  count: number;
  /** How often the cluster knows that it happened; 0 until the Event is made. */
  written: number;
  writtenAt: number;
  queued: boolean;
  writing: boolean;
  cancelWait: () => void;
}

/** Events of objects that live in no namespace are kept in this one. */
export const eventNamespace = 'default';

/** What the stricter events.k8s.io/v1 takes, and client-go sends, in bytes. */
const longestNote = 1024;
const longestWord = 128;
const longestName = 253;

/** The event as the API takes it, whatever it was given. */
export function normalized(event: EventToRecord): EventToRecord {
  const { regarding, type, reason, action, note } = event;
  const { apiVersion, kind, name } = regarding;
  const uid = kind === 'Node' ? name : regarding.uid;
  return {
    regarding: { apiVersion, kind, name, ...(uid !== undefined && { uid }) },
    type,
    reason: cutToBytes(reason, longestWord),
    action: cutToBytes(action, longestWord),
    note: cutToBytes(note, longestNote),
  };
}

/** What makes two events the same. */
export function eventKey({ regarding, type, reason, action, note }: EventToRecord): string {
  return JSON.stringify([objectKey(regarding), type, reason, action, note]);
}

export function objectKey({ kind, name, uid }: EventRegarding): string {
  return JSON.stringify([kind, name, uid]);
}

/** A name of its own for an Event object: that of the object it is about, and random digits. */
export function eventName(name: string, random: () => number): string {
  const digits = [1, 2]
    .map(() =>
      Math.floor(random() * 2 ** 32)
        .toString(16)
        .padStart(8, '0'),
    )
    .join('');
  // A part of a name must not end with what joins parts.
  return `${name.slice(0, longestName - digits.length - 1).replace(/[-.]+$/, '')}.${digits}`;
}

/**
 * The Event object: of core/v1, without `eventTime`. What events.k8s.io/v1 asks for instead is refused by older API
 * servers for objects that live in no namespace (1.20 wants a namespace in `involvedObject`, and then
 * `kubectl describe node` does not find the Event), and it lets nobody count in a way that old readers know.
 */
export function eventObject(series: EventSeries, reportingInstance: string): KubeObject {
  const { event, name, first } = series;
  const { regarding, type, reason, action, note } = event;
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace: eventNamespace },
    involvedObject: regarding,
    type,
    reason,
    action,
    message: note,
    source: { component: 'mirrorgate' },
    reportingComponent: 'mirrorgate.dev/mirrorgate',
    reportingInstance: cutToBytes(reportingInstance, longestWord),
    firstTimestamp: timestamp(first),
    ...countPatch(series),
  };
}

/** What changes when an Event happens again. */
export function countPatch({ last, count }: Pick<EventSeries, 'last' | 'count'>): {
  readonly count: number;
  readonly lastTimestamp: string;
} {
  return { count, lastTimestamp: timestamp(last) };
}

/** With whole seconds, as the API keeps it. */
function timestamp(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 'yyyy-mm-ddThh:mm:ss'.length)}Z`;
}
