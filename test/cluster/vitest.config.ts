import { defineConfig } from 'vitest/config';

/** A real etcd and kube-apiserver behind every test: `npm run test:cluster`. Not part of `npm test`. */
export default defineConfig({
  test: {
    root: `${import.meta.dirname}/../..`,
    include: ['test/cluster/**/*.test.ts'],
    globalSetup: ['test/cluster/global-setup.ts'],
    setupFiles: ['test/cluster/end-with-runner.ts'],
    testTimeout: 240_000,
    hookTimeout: 240_000,
    // Every file has a cluster of its own, which takes a core while it starts.
    maxWorkers: 2,
  },
});
