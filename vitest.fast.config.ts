import { defineConfig } from 'vitest/config'
import { processTests } from './test/support/process-tests.ts'
import all from './vitest.config.ts'

export default defineConfig({
  test: {
    ...all.test,
    // servers, browsers, commands and programs take the minutes of `npm test`
    exclude: processTests(),
    tagsFilter: ['!long'],
    // modules are loaded once a worker and not once a file, which halves the time; `npm test` isolates every file
    isolate: false,
    globalSetup: ['test/support/temporary-root.ts'],
  },
})
