import { formatReference } from '../../mirrors/reference.js';
import { windowsEntries } from '../../mirrors/registry-view.js';
import { createAndUpdate, type Rule } from '../rule.js';
import { windowsMirrors } from '../windows-mirrors.js';

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
    for (const entry of windowsEntries(entries, settings.view)) {
      const seen = new Map<string, string>();
      for (const { path, mirror, key } of windowsMirrors(entry, settings.view)) {
        const text = formatReference(mirror);
        const first = seen.get(key);
        if (first === undefined) {
          seen.set(key, text);
          continue;
        }
        yield {
          path,
          message: `on Windows "${text}" and "${first}" are one mirror: for both, a node asks ${key} once`,
          fix: 'remove one of the two',
          key: `${formatReference(entry.source)} ${text}`,
        };
      }
    }
  },
};
