import { formatReference } from '../../mirrors/reference.js';
import { registryDirectory } from '../../mirrors/registry-directory.js';
import { windowsEntries } from '../../mirrors/registry-view.js';
import { windowsNameFault } from '../../mirrors/windows-name.js';
import { createAndUpdate, type Rule } from '../rule.js';

export const windowsReservedName: Rule = {
  id: 'windows-reserved-name',
  summary: 'a source host that cannot be the name of a Windows directory (con, nul, aux, com1 …)',
  why: 'The registry host becomes a directory name on the node; such a directory cannot be made, and the mirror has no effect.',
  remedy: 'Use another name for the registry host, or label the set mirrorgate.dev/os: linux.',
  scope: 'windows',
  about: 'state',
  objectOnly: true,
  operations: createAndUpdate,
  actions: { audit: 'audit', baseline: 'warn', restricted: 'deny' },
  *find({ entries, settings }) {
    for (const { path, source } of windowsEntries(entries, settings.view)) {
      const fault = windowsNameFault(registryDirectory(source));
      if (fault === undefined) continue;
      yield {
        path: `${path}.source`,
        message: `no directory for this registry on a Windows node: ${fault}`,
        fix: 'use another host name for the registry, or label the set mirrorgate.dev/os: linux',
        key: formatReference(source),
      };
    }
  },
};
