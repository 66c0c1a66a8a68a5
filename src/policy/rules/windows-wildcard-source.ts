import { formatReference } from '../../mirrors/reference.js';
import { createAndUpdate, type Rule } from '../rule.js';

export const windowsWildcardSource: Rule = {
  id: 'windows-wildcard-source',
  summary: 'a *.domain source, which has no effect on Windows nodes',
  why: 'containerd looks a registry up by its exact host: no directory name stands for a whole domain.',
  remedy: 'Give each registry host an entry of its own, or label the set mirrorgate.dev/os: linux.',
  scope: 'windows',
  about: 'state',
  objectOnly: true,
  operations: createAndUpdate,
  actions: { audit: 'audit', baseline: 'warn', restricted: 'deny' },
  *find({ entries }) {
    for (const { path, source } of entries) {
      if (!source.wildcard) continue;
      const text = formatReference(source);
      yield {
        path: `${path}.source`,
        message: `"${text}" has no effect on Windows nodes: they look a registry up by its exact host`,
        fix: 'give each host an entry of its own, or label the set mirrorgate.dev/os: linux',
        key: text,
      };
    }
  },
};
