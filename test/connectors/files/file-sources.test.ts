import { rm } from 'node:fs/promises'
import { openSource } from '../../../src/connectors/open-connector.ts'
import type { SourceSpec } from '../../../src/connectors/spec.ts'
import { testSource } from '../../contract/source-contract.ts'
import { seeders, seedFile } from './seed-files.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

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
    {
      hasFreeKeys: seeder.format === 'ndjson' || seeder.name === 'Avro maps',
      hasAnyKeys: seeder.name === 'Avro maps',
      hasColumns: seeder.format !== 'avro',
      isCaseBlind: seeder.format === 'fits',
    },
  )
}
