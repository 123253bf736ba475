import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/torture/**/*.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // brokers and databases are killed there, and need the machine for themselves
    fileParallelism: false,
    globalSetup: ['test/support/temporary-root.ts'],
    setupFiles: ['test/support/remove-temporary-folders.ts'],
  },
})
