import { defineConfig } from 'vitest/config'
import { processTests } from './test/support/process-tests.ts'

/** suites of their own: `npm run test:torture`, `npm run test:outside` */
const otherSuites = ['test/torture/**', 'test/outside/**']

/** for every suite */
export const common = {
  // a busy machine is no failure, a test that hangs is
  testTimeout: 120_000,
  hookTimeout: 240_000,
  pool: 'forks',
  // a second or more of computing on a quiet machine: not in `npm run test:fast`
  tags: [{ name: 'long' }],
  setupFiles: ['test/support/remove-temporary-folders.ts'],
} as const

/** nothing stays in the temporary folder; one PostgreSQL for all tests, started by the first that asks */
export const globalSetup = ['test/support/temporary-root.ts', 'test/support/postgres-shared.ts']

/** for tests that start no process: modules are loaded once a worker and not once a file, which halves the time */
export const inProcess = {
  ...common,
  include: ['test/**/*.test.ts'],
  exclude: [...otherSuites, ...processTests()],
  isolate: false,
}

const processes = { ...common, include: processTests(), exclude: otherSuites }

export default defineConfig({
  test: {
    globalSetup,
    // most tests wait for processes, brokers and databases; vitest itself would take one worker on two cores
    maxWorkers: 2,
    projects: [{ test: { ...inProcess, name: 'in-process' } }, { test: { ...processes, name: 'processes' } }],
  },
})
