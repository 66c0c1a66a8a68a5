import { describe, expect, it } from 'vitest';
import { idms, itms } from '../../mirror-sets.js';
import { whatRuleSays } from '../judge.js';
import { linuxLabel, pullThroughCache } from '../usual-sets.js';

const rule = 'unmatchable-source';

describe(rule, () => {
  it('spells a short Docker Hub name out', () => {
    expect(whatRuleSays(rule, idms('short', [['docker.io/nginx', ['mirror.local/nginx']]]))).toStrictEqual([
      {
        path: 'spec.imageDigestMirrors[0].source',
        message: '"docker.io/nginx" matches no image called nginx: its full name is docker.io/library/nginx',
        fix: 'use docker.io/library/nginx, unless the images of the organisation nginx are meant',
        suggestion: 'docker.io/library/nginx',
      },
    ]);
  });

  it.each([
    ['index.docker.io', 'docker.io'],
    ['index.docker.io/bitnami/nginx', 'docker.io/bitnami/nginx'],
    ['index.docker.io/library', 'docker.io/library'],
    ['index.docker.io/nginx', 'docker.io/library/nginx'],
    ['Index.Docker.IO/library/nginx', 'docker.io/library/nginx'],
  ])('renames %s to %s', (source, suggestion) => {
    expect(whatRuleSays(rule, itms('index', [[source, ['mirror.local']]]))).toStrictEqual([
      {
        path: 'spec.imageTagMirrors[0].source',
        message: `"${source.toLowerCase()}" matches no image: runtimes call that registry docker.io`,
        fix: `use ${suggestion}`,
        suggestion,
      },
    ]);
  });

  it('concerns Linux-only sets too', () => {
    const set = idms('short', [['docker.io/nginx', ['mirror.local/nginx']]], linuxLabel);
    expect(whatRuleSays(rule, set)).toHaveLength(1);
  });

  it.each([
    'docker.io',
    'docker.io/library',
    'docker.io/library/nginx',
    'docker.io/bitnami/nginx',
    'docker.io:443/nginx',
    'index.docker.io.example.com/nginx',
    'quay.io/nginx',
    '*.docker.io',
  ])('has nothing against %s', (source) => {
    expect(whatRuleSays(rule, idms('set', [[source, ['mirror.local']]]))).toStrictEqual([]);
  });

  it('has nothing against a pull-through cache', () => {
    expect(whatRuleSays(rule, pullThroughCache)).toStrictEqual([]);
  });
});
