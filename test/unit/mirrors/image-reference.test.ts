import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTagAndDigest, parseImage } from '../../../src/mirrors/image-reference.js';
import { formatReference } from '../../../src/mirrors/reference.js';
import { writeReference, writtenReferences } from '../arbitraries.js';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

/** Repository, tag and digest, or the fault. */
function read(text: string): [string, string | undefined, string | undefined] | string {
  const parsed = parseImage(text);
  if (!parsed.ok) return parsed.fault;
  return [formatReference(parsed.image.repository), parsed.image.tag, parsed.image.digest];
}

describe('parseImage', () => {
  it.each<[string, string, string | undefined, string | undefined]>([
    ['quay.io/org/image:1.2', 'quay.io/org/image', '1.2', undefined],
    ['quay.io/org/image', 'quay.io/org/image', 'latest', undefined],
    [`quay.io/org/image@${digest}`, 'quay.io/org/image', undefined, digest],
    [`quay.io/org/image:1.2@${digest}`, 'quay.io/org/image', '1.2', digest],
    ['mirror.local:5000/image', 'mirror.local:5000/image', 'latest', undefined],
    ['mirror.local:5000/a/image:T_a.g-1', 'mirror.local:5000/a/image', 'T_a.g-1', undefined],
    // The short names of Docker Hub.
    ['nginx', 'docker.io/library/nginx', 'latest', undefined],
    ['nginx:1.27', 'docker.io/library/nginx', '1.27', undefined],
    [`nginx@${digest}`, 'docker.io/library/nginx', undefined, digest],
    ['org/image', 'docker.io/org/image', 'latest', undefined],
    ['org/team/image', 'docker.io/org/team/image', 'latest', undefined],
    ['docker.io/nginx', 'docker.io/library/nginx', 'latest', undefined],
    ['index.docker.io/org/image', 'docker.io/org/image', 'latest', undefined],
    // What makes a first segment a registry: a dot, a port, localhost, upper case.
    ['localhost/image', 'localhost/image', 'latest', undefined],
    ['registry:5000/image', 'registry:5000/image', 'latest', undefined],
    ['Registry/image', 'registry/image', 'latest', undefined],
    ['registry-1.docker.io/image', 'registry-1.docker.io/image', 'latest', undefined],
  ])('%s', (text, repository, tag, expectedDigest) => {
    expect(read(text)).toEqual([repository, tag, expectedDigest]);
  });

  it.each([
    ['quay.io/a@sha256:12', 'has a malformed digest (@sha256:12); expected @sha256:<64 hex digits>'],
    ['quay.io/a@', 'has a malformed digest (@); expected @sha256:<64 hex digits>'],
    [
      `quay.io/a@${digest}@${digest}`,
      `has a malformed digest (@${`${digest}@${digest}`.slice(0, 80)}); expected @sha256:<64 hex digits>`,
    ],
    ['quay.io/a:', 'has a malformed tag (:); expected at most 128 of A-Z a-z 0-9 _ . -'],
    ['quay.io/a:.b', 'has a malformed tag (:.b); expected at most 128 of A-Z a-z 0-9 _ . -'],
    ['quay.io/a:b:c', 'has a malformed tag (:b:c); expected at most 128 of A-Z a-z 0-9 _ . -'],
    [
      `quay.io/a:${'t'.repeat(129)}`,
      `has a malformed tag (:${'t'.repeat(80)}); expected at most 128 of A-Z a-z 0-9 _ . -`,
    ],
    ['quay.io/A', 'has upper case in its path (A); expected lower case'],
    ['https://quay.io/a', 'has a scheme (https://); expected host[:port][/path] without one'],
    ['*.quay.io/a', 'is a wildcard; only a source may be *.domain, expected host[:port][/path]'],
    ['quay.io/', 'ends with "/"; expected a path without an empty segment'],
    ['', 'ends with "/"; expected a path without an empty segment'],
  ])('%j is refused', (text, fault) => {
    expect(read(text)).toBe(fault);
  });

  it('accepts a tag of 128 characters', () => {
    expect(read(`quay.io/a:${'t'.repeat(128)}`)).toEqual(['quay.io/a', 't'.repeat(128), undefined]);
  });

  it.each([
    ['dots', '.'.repeat(1_000_000)],
    ['colons', ':'.repeat(1_000_000)],
    ['a digest algorithm', `a@${'a+'.repeat(500_000)}`],
    ['hex digits', `a@sha256:${'0'.repeat(1_000_000)}x`],
    ['a tag', `a:${'t'.repeat(1_000_000)}`],
  ])('refuses a million characters of %s with a short fault', (_, text) => {
    const fault = read(text);
    expect(fault).toEqual(expect.any(String));
    expect(fault.length).toBeLessThan(250);
  });

  it('reads back what it is written as', () => {
    const repositories = writtenReferences.filter(({ host, path }) => host.includes('.') && path.length > 0);
    const suffixes = fc.constantFrom(':1.2', `@${digest}`, `:1.2@${digest}`);
    fc.assert(
      fc.property(repositories, suffixes, (written, suffix) => {
        const parsed = parseImage(writeReference(written) + suffix);
        if (!parsed.ok) throw new Error(parsed.fault);
        expect(formatReference(parsed.image.repository)).toBe(writeReference(written).toLowerCase());
        expect(formatTagAndDigest(parsed.image)).toBe(suffix);
      }),
    );
  });
});
