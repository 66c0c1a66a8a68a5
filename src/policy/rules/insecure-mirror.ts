import { formatReference, registryOf } from '../../mirrors/reference.js';
import { hostEntryLocation, windowsEntries } from '../../mirrors/registry-view.js';
import { createAndUpdate, type Rule } from '../rule.js';

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
    for (const { source, mirrors } of windowsEntries(entries, settings.view)) {
      for (const { path, reference: mirror } of mirrors) {
        if (!settings.insecure.includes(hostEntryLocation(source, mirror).location)) continue;
        yield {
          path,
          message: `${registryOf(mirror)} is in insecureRegistries: Windows nodes do not verify its certificate`,
          fix: 'give it a certificate that nodes trust, and take it out of insecureRegistries',
          key: `${formatReference(source)} ${formatReference(mirror)}`,
        };
      }
    }
  },
};
