import { defineConfig } from 'vitest/config'
import { common, globalSetup } from './vitest.config.ts'

// what a stranger meets: the packed package, the docs as they are typed, the examples, models of every library, printed pages,
// what commands say of broken files and full devices
export default defineConfig({
  test: { ...common, include: ['test/outside/**/*.test.ts'], maxWorkers: 2, globalSetup },
})
