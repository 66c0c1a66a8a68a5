import { formatReference, type Reference } from '../../mirrors/reference.js';
import { createAndUpdate, type Rule } from '../rule.js';

export const unmatchableSource: Rule = {
  id: 'unmatchable-source',
  summary:
    'a source that no image name comes to: index.docker.io, or docker.io/nginx for docker.io/library/nginx',
  why: 'Runtimes spell image names out before they look for a mirror, so that the entry never matches the image it was written for.',
  remedy:
    'Write the name as runtimes spell it out: docker.io/library/nginx for nginx, docker.io for index.docker.io.',
  scope: 'any',
  about: 'state',
  objectOnly: true,
  operations: createAndUpdate,
  actions: { audit: 'audit', baseline: 'warn', restricted: 'warn' },
  *find({ entries }) {
    for (const { path, source } of entries) {
      const text = formatReference(source);
      const spelled = spelledOut(source);
      if (spelled === undefined) continue;
      const suggestion = formatReference(spelled);
      yield {
        path: `${path}.source`,
        message:
          source.host === 'docker.io'
            ? `"${text}" matches no image called ${source.path.join('/')}: its full name is ${suggestion}`
            : `"${text}" matches no image: runtimes call that registry docker.io`,
        fix:
          source.host === 'docker.io'
            ? `use ${suggestion}, unless the images of the organisation ${source.path.join('/')} are meant`
            : `use ${suggestion}`,
        suggestion,
        key: text,
      };
    }
  },
};

function spelledOut(source: Reference): Reference | undefined {
  if (source.wildcard || source.port !== undefined) return undefined;
  const onDockerHub = source.host === 'docker.io' || source.host === 'index.docker.io';
  if (!onDockerHub) return undefined;
  const [first] = source.path;
  const short = source.path.length === 1 && first !== 'library';
  if (source.host === 'docker.io' && !short) return undefined;
  return { ...source, host: 'docker.io', path: short ? ['library', ...source.path] : source.path };
}
