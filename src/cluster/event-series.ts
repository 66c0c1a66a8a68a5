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
  /** For people. What is over 1,024 bytes is cut off: the API refuses more. */
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
export const reportingController = 'mirrorgate.dev/mirrorgate';

/** Limits of the API (events.k8s.io/v1), in bytes. */
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

/** The Event object; with a series when it happened several times before it could be written. */
export function eventObject(
  { event, name, first, last, count }: EventSeries,
  reportingInstance: string,
): KubeObject {
  const { regarding, type, reason, action, note } = event;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name, namespace: eventNamespace },
    eventTime: microTime(first),
    reportingController,
    reportingInstance: cutToBytes(reportingInstance, longestWord),
    regarding,
    type,
    reason,
    action,
    note,
    ...(count > 1 && seriesPatch({ last, count })),
  };
}

/**
 * What changes when an Event happens again. The API knows no other way: the counter and times of the older core/v1
 * Events may not be set through events.k8s.io/v1, and kubectl shows the series in their place.
 */
export function seriesPatch({ last, count }: Pick<EventSeries, 'last' | 'count'>): {
  readonly series: object;
} {
  return { series: { count, lastObservedTime: microTime(last) } };
}

/** The API takes exactly six digits. */
function microTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('Z', '000Z');
}
