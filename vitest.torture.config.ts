import { defineConfig } from 'vitest/config'
import { common, globalSetup } from './vitest.config.ts'

// brokers and databases are killed there, and need the machine for themselves
export default defineConfig({
  test: {
    ...common,
    include: ['test/torture/**/*.test.ts'],
    testTimeout: 600_000,
    fileParallelism: false,
    globalSetup,
  },
})
