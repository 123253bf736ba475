import { defineConfig } from 'vitest/config'
import { inProcess } from './vitest.config.ts'

// servers, browsers, commands and programs take the minutes of `npm test`
export default defineConfig({
  test: { ...inProcess, tagsFilter: ['!long'], maxWorkers: 2, globalSetup: ['test/support/temporary-root.ts'] },
})
