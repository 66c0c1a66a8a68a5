import type { FleetEvent } from '../distribution/fleet-event.js';
import { nodeErrorReason } from './node-condition.js';

/** What people are told at a Node of something that happened there; `undefined` when it is not worth an Event. */
export function nodeEvent(
  event: FleetEvent,
): { type: 'Normal' | 'Warning'; reason: string; action: string; note: string } | undefined {
  switch (event.type) {
    case 'syncing':
      return undefined;
    case 'synced': {
      const { written, removed } = event.result;
      if (written.length + removed.length === 0) return undefined;
      return {
        type: 'Normal',
        reason: 'MirrorConfigSynced',
        action: 'Sync',
        note: `mirror configuration ${event.revision.slice(0, 12)} is in place: ${written.length} written, ${removed.length} removed`,
      };
    }
    case 'failed':
      return {
        type: 'Warning',
        reason: nodeErrorReason(event.error.class),
        action: 'Sync',
        note: `${event.error.message}; ${event.error.hint}`,
      };
    case 'host-key-pinned':
      return {
        type: 'Normal',
        reason: 'HostKeyPinned',
        action: 'Connect',
        note: `host key ${event.fingerprint} is trusted from now on`,
      };
  }
}
