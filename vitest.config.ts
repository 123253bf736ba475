import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // minutes of kills and restarts: `npm run test:torture`
    exclude: ['test/torture/**'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // one PostgreSQL for all tests, started by the first that asks
    globalSetup: ['test/support/postgres-shared.ts'],
  },
})
