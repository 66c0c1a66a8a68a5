import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { indexMirrorSets } from '../../../src/mirrors/mirror-set-index.js';
import { alignMirror, apiRegistryOf, sameReference } from '../../../src/mirrors/naming.js';
import { windowsPullPlan } from '../../../src/mirrors/pull-plan.js';
import { formatReference } from '../../../src/mirrors/reference.js';
import { imageBelow, mirrors, remainders, sources } from '../arbitraries.js';
import { idms, reference } from '../mirror-sets.js';

describe('alignMirror', () => {
  it.each([
    // Exact: registry, an optional prefix, the whole path of the source.
    ['mcr.microsoft.com/oss/kubernetes/pause', 'mirror.local/oss/kubernetes/pause', true, ''],
    ['mcr.microsoft.com/oss/kubernetes/pause', 'mirror.local/custom/oss/kubernetes/pause', true, 'custom'],
    ['mcr.microsoft.com/oss/kubernetes/pause', 'mirror.local/x/y/z/oss/kubernetes/pause', true, 'x/y/z'],
    // The node asks for mirror.local/k8s/oss/kubernetes/pause.
    ['mcr.microsoft.com/oss/kubernetes/pause', 'mirror.local/k8s/pause', false, 'k8s'],
    // The examples of the product's documentation, which break its own rule.
    ['registry.access.redhat.com/ubi9/ubi-minimal', 'example.io/example/ubi-minimal', false, 'example'],
    ['quay.io/remote-org/image', 'quay.io/my-org/image', false, 'my-org'],
    ['registry.redhat.io', 'mirror.example.com', true, ''],
    // A whole registry as source: any path of the mirror is prefix.
    ['docker-mirror.internal', 'docker.io', true, ''],
    ['docker.io', 'harbor.local/docker.io', true, 'docker.io'],
    ['quay.io', 'quay.io', true, ''],
    // Segments, not characters; the whole path, not part of it.
    ['q.io/org/image', 'm.io/myorg/image', false, 'myorg'],
    ['q.io/image', 'm.io/myimage', false, 'myimage'],
    ['q.io/a/b', 'm.io/b', false, ''],
    ['q.io/a/b', 'm.io', false, ''],
    ['q.io/a/b', 'm.io/a/b/c', false, 'a/b/c'],
    ['q.io/a/a', 'm.io/a', false, ''],
    ['q.io/a', 'm.io/a/a', true, 'a'],
    // The host never takes part.
    ['q.io/a', 'q.io/a', true, ''],
    ['m.io/b/c', 'b/c', false, ''],
  ])('%s by %s: exact %s, prefix %j', (source, mirror, exact, prefix) => {
    const alignment = alignMirror(reference(source), reference(mirror));
    expect(alignment.exact).toBe(exact);
    expect(alignment.prefix.join('/')).toBe(prefix);
  });

  it.each([
    [
      'mcr.microsoft.com/oss/kubernetes/pause',
      'mirror.local/k8s/pause',
      'mirror.local/k8s/oss/kubernetes/pause',
    ],
    ['quay.io/remote-org/image', 'quay.io:443/my-org/image', 'quay.io:443/my-org/remote-org/image'],
    [
      'registry.access.redhat.com/ubi9/ubi-minimal',
      'example.io/example/ubi-minimal',
      'example.io/example/ubi9/ubi-minimal',
    ],
    ['q.io/a', 'm.io/x/a', 'm.io/x/a'],
  ])('%s by %s asks for %s', (source, mirror, asked) => {
    expect(formatReference(alignMirror(reference(source), reference(mirror)).asked)).toBe(asked);
  });

  it('calls a mirror exact if and only if a Windows node asks for just that mirror and what is left of the image', () => {
    fc.assert(
      fc.property(sources, mirrors, remainders, (source, mirror, remainder) => {
        fc.pre(!sameReference(source, mirror));
        const index = indexMirrorSets([idms('set', [[formatReference(source), [formatReference(mirror)]]])]);
        const plan = windowsPullPlan(index, imageBelow(source, remainder, 'digest'), {
          naming: 'shorten',
          linuxOnlySources: [],
        });
        const [first] = plan.endpoints;
        const declared = formatReference({ ...mirror, path: [...mirror.path, ...remainder] });
        expect(first?.role).toBe('mirror');
        expect(formatReference(first!.repository) === declared).toBe(alignMirror(source, mirror).exact);
      }),
      { numRuns: 2_000 },
    );
  });

  it('gives a prefix that is a beginning of the path, and asks for it and the whole source path', () => {
    fc.assert(
      fc.property(sources, mirrors, (source, mirror) => {
        const { prefix, asked } = alignMirror(source, mirror);
        expect(mirror.path.slice(0, prefix.length)).toEqual(prefix);
        expect(asked).toEqual({ ...mirror, path: [...prefix, ...source.path] });
        // The mirror that is asked for is itself exact.
        expect(alignMirror(source, asked).exact).toBe(true);
      }),
    );
  });
});

describe('apiRegistryOf', () => {
  it.each([
    ['docker.io/library', 'registry-1.docker.io'],
    ['registry-1.docker.io', 'registry-1.docker.io'],
    ['docker.io:443', 'docker.io:443'],
    ['Mirror.local:5000/a', 'mirror.local:5000'],
  ])('of %s is %s', (text, expected) => {
    expect(apiRegistryOf(reference(text))).toBe(expected);
  });
});
