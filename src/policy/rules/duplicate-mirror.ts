import { formatReference } from '../../mirrors/reference.js';
import { hostEntryLocation, windowsEntries } from '../../mirrors/registry-view.js';
import { createAndUpdate, type Rule } from '../rule.js';

export const duplicateMirror: Rule = {
  id: 'duplicate-mirror',
  summary: 'two mirrors of a source that come to the same host entry on Windows',
  why: 'A Windows node tries them as one: the second is no fail-over for the first.',
  remedy: 'Remove one of the two, or give the second the path that the naming rule asks for.',
  scope: 'windows',
  about: 'state',
  objectOnly: true,
  operations: createAndUpdate,
  actions: { audit: 'audit', baseline: 'audit', restricted: 'warn' },
  *find({ entries, settings }) {
    for (const { source, mirrors } of windowsEntries(entries, settings.view)) {
      const seen = new Map<string, string>();
      for (const { path, reference: mirror } of mirrors) {
        const text = formatReference(mirror);
        const { key } = hostEntryLocation(source, mirror);
        const first = seen.get(key);
        if (first === undefined) {
          seen.set(key, text);
          continue;
        }
        yield {
          path,
          message: `on Windows "${text}" comes to the same host entry as "${first}" (${key})`,
          fix: 'remove one of the two',
          key: `${formatReference(source)} ${text}`,
        };
      }
    }
  },
};
