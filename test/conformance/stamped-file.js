import { createHash } from 'node:crypto';

/** The content of a hosts.toml that tells whether it is whole, of which registry and of which revision it is. */
export function stampedFile(registry, revision, bytes) {
  const filler = '# filler that makes the file as long as the test wants it\n';
  const body = `# ${registry} ${revision}\n${filler.repeat(Math.ceil(bytes / filler.length)).slice(0, bytes)}\n`;
  return `# ${createHash('sha256').update(body).digest('hex')}\n${body}`;
}

/** Reads a stamp: the revision, or `undefined` for a file that is not whole or not this registry's. */
export function revisionStamped(registry, content) {
  const end = content.indexOf('\n');
  const body = content.slice(end + 1);
  if (content.slice(0, Math.max(end, 0)) !== `# ${createHash('sha256').update(body).digest('hex')}`) {
    return undefined;
  }
  const [, name, revision] = body.slice(0, body.indexOf('\n')).split(' ');
  return name === registry ? Number(revision) : undefined;
}
