import { defineConfig } from 'vitest/config';

/** Real programs behind every test: `npm run test:conformance`. Not part of `npm test`, which needs none of them. */
export default defineConfig({
  test: {
    root: `${import.meta.dirname}/../..`,
    include: ['test/conformance/**/*.test.ts'],
    testTimeout: 240_000,
    hookTimeout: 120_000,
    // A pull is mostly the puller's own CPU time; more than this only makes each one slower.
    maxConcurrency: 3,
  },
});
