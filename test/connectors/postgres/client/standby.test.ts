import { chownSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { alercePreprocessing } from '../../../../src/pipeline/preprocess.ts'
import { ServiceError } from '../../../../src/errors.ts'
import { parsePostgresAddress } from '../../../../src/connectors/postgres/address.ts'
import { openPostgresSink } from '../../../../src/connectors/postgres/postgres-sink.ts'
import { openPostgresSource } from '../../../../src/connectors/postgres/postgres-source.ts'
import { context } from '../../../support/postgres-batches.ts'
import { createDatabase } from '../../../support/postgres-database.ts'
import { startOwnPostgres } from '../../../support/postgres-server.ts'

it('a standby can be read, and says that it cannot be written', async () => {
  const server = await startOwnPostgres()
  const database = await createDatabase(server.url)
  await database.addObjects(['x'])
  await server.halt('fast')
  const signal = join(server.folder, 'data', 'standby.signal')
  const { uid, gid } = statSync(join(server.folder, 'data'))
  writeFileSync(signal, '')
  chownSync(signal, uid, gid)
  await server.start()
  const spec = { kind: 'postgres', address: 'postgres://here', connection: database.settings } as const
  await expect(openPostgresSink({ ...spec, missingObject: 'fail' }, context)).rejects.toMatchObject({
    constructor: ServiceError,
    hint: expect.stringContaining('Write to the primary') as string,
  })
  const { reading } = parsePostgresAddress(`${database.url}?query=SELECT oid, 1 AS a FROM object`, {}, 'input')
  const source = await openPostgresSource(
    { ...spec, reading: reading! },
    {
      features: ['a'],
      preprocessing: alercePreprocessing,
      batchSize: 10,
      idColumn: 'oid',
      candidColumn: 'candid',
      rename: new Map(),
      allowance: { remaining: Infinity },
    },
  )
  const oids: string[] = []
  for await (const { batch } of source.deliveries(new AbortController().signal)) oids.push(...batch.oids)
  expect(oids).toEqual(['x'])
  await source.close()
  await server.stop()
})
