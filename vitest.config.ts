import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // minutes of kills and restarts: `npm run test:torture`
    exclude: ['test/torture/**'],
    // a busy machine is no failure, a test that hangs is
    testTimeout: 120_000,
    hookTimeout: 240_000,
    pool: 'forks',
    // most tests wait for processes, brokers and databases; vitest itself would take one worker on two cores
    maxWorkers: 2,
    // nothing stays in the temporary folder; one PostgreSQL for all tests, started by the first that asks
    globalSetup: ['test/support/temporary-root.ts', 'test/support/postgres-shared.ts'],
    // a second or more of computing on a quiet machine: not in `npm run test:fast`
    tags: [{ name: 'long' }],
    setupFiles: ['test/support/remove-temporary-folders.ts'],
  },
})
