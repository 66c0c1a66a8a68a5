import { formatReference, registryOf } from '../../mirrors/reference.js';
import { windowsEntries } from '../../mirrors/registry-view.js';
import { createAndUpdate, type Rule } from '../rule.js';
import { windowsMirrors } from '../windows-mirrors.js';

export const insecureMirror: Rule = {
  id: 'insecure-mirror',
  summary: 'a mirror that the cluster image config lists as insecure: it is rendered with skip_verify',
  why: 'Nodes accept any certificate there, or plain HTTP: whoever sits on the network can serve what a tag resolves to.',
  remedy: 'Give the mirror a certificate that nodes trust, and take it out of insecureRegistries.',
  scope: 'windows',
  about: 'state',
  objectOnly: true,
  operations: createAndUpdate,
  actions: { audit: 'audit', baseline: 'audit', restricted: 'warn' },
  *find({ entries, settings }) {
    for (const entry of windowsEntries(entries, settings.view)) {
      for (const { path, mirror, location } of windowsMirrors(entry, settings.view)) {
        if (!settings.insecure.includes(location)) continue;
        yield {
          path,
          message: `${registryOf(mirror)} is in insecureRegistries: Windows nodes do not verify its certificate`,
          fix: 'give it a certificate that nodes trust, and take it out of insecureRegistries',
          key: `${formatReference(entry.source)} ${formatReference(mirror)}`,
        };
      }
    }
  },
};
