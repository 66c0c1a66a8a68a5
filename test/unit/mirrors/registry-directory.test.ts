import { describe, expect, it } from 'vitest';
import { registryDirectory } from '../../../src/mirrors/registry-directory.js';
import { reference } from '../mirror-sets.js';

describe('registryDirectory', () => {
  it.each([
    ['quay.io', 'quay.io'],
    ['Quay.IO', 'quay.io'],
    ['quay.io/org/image', 'quay.io'],
    ['mirror.local:5000', 'mirror.local_5000_'],
    ['localhost:5000', 'localhost_5000_'],
    ['docker.io', 'docker.io'],
  ])('of %s is %s', (registry, directory) => {
    expect(registryDirectory(reference(registry))).toBe(directory);
  });
});
