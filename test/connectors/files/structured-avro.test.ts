import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openSource } from '../../../src/connectors/open-connector.ts'
import { LcclfError } from '../../../src/errors.ts'
import { attacks } from '../../support/attack.ts'
import { hostileContainer, hostileRecord, hostileSchema } from '../../support/hostile-avro.ts'
import { fileSpec, readOnce, readOptions } from '../../support/objects.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

describe('Avro files of whoever has read the code', { tags: ['long'] }, () => {
  it('are rows, rejects, or one line that says what is wrong, in time and within memory', async () => {
    const path = join(temporaryFolder(), 'hostile.avro')
    let rows = 0
    await attacks(800, (choose) => {
      const manner = { lies: choose.of([0, 0.02, 0.1, 0.3]) }
      const schema = hostileSchema(choose, manner)
      const records = Array.from({ length: choose.whole(4) }, () => hostileRecord(choose, schema, manner).bytes)
      const bytes = hostileContainer(choose, schema, records, manner)
      return async () => {
        await writeFile(path, bytes)
        try {
          const source = await openSource(fileSpec(path, 'avro'), readOptions({ features: ['a', 'b', 'c'] }))
          const { read, oids, rejected } = await readOnce(source)
          expect(oids.length + rejected.length).toBe(read)
          rows += read
        } catch (error) {
          if (!(error instanceof LcclfError)) throw error
          expect(error.exitCode).toBe(3)
          expect(error.message).not.toContain('\n')
        }
      }
    })
    expect(rows).toBeGreaterThan(100)
  })
})
