import { rm } from 'node:fs/promises'
import { openSource } from '../../src/sources/open.ts'
import type { SourceSpec } from '../../src/sources/source.ts'
import { testSource } from '../contract/source-contract.ts'
import { seedFile, seeders } from './seed-files.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

for (const seeder of seeders) {
  testSource(
    seeder.name,
    async () => {
      const folder = temporaryFolder()
      let spec: SourceSpec | undefined
      return {
        async seed(seed) {
          spec = await seedFile(seeder, seed, folder)
        },
        open: (options) => openSource(spec!, options),
        remove: () => rm(folder, { recursive: true }),
      }
    },
    { hasFreeKeys: seeder.format === 'ndjson' || seeder.name === 'Avro maps', hasAnyKeys: seeder.name === 'Avro maps' },
  )
}
