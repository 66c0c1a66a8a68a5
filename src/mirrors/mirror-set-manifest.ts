import { entryField, type MirrorSet } from './mirror-set.js';
import { mirrorSetApiVersion } from './mirror-set-schema.js';

/** The object of a mirror set as the API takes it; reading it back gives the same mirror set. */
export function toManifest(set: MirrorSet): Readonly<Record<string, unknown>> {
  return {
    apiVersion: mirrorSetApiVersion,
    kind: set.kind,
    metadata: { name: set.name, ...(Object.keys(set.labels).length > 0 && { labels: set.labels }) },
    spec: {
      [entryField[set.kind]]: set.entries.map(({ source, mirrors, policy }) => ({
        source: source.text,
        ...(mirrors.length > 0 && { mirrors: mirrors.map(({ text }) => text) }),
        ...(policy !== undefined && { mirrorSourcePolicy: policy }),
      })),
    },
  };
}
