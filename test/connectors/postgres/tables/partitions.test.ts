import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  inspectPartitions,
  missingPartitions,
  partitionFinder,
} from '../../../../src/connectors/postgres/tables/partitions.ts'
import { createDatabase, type TestDatabase } from '../../../support/postgres-database.ts'
import { sharedPostgres } from '../../../support/postgres-shared.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await createDatabase(await sharedPostgres(), { tables: 'multisurvey' })
})

afterAll(() => database.drop())

async function partitioningOf(table: string) {
  const connection = await database.connect()
  const found = await inspectPartitions(connection, table)
  await connection.close()
  return found
}

it.each(['probability', 'feature'])('finds the partition of every oid as Postgres does, of %s', async (table) => {
  const partitioning = await partitioningOf(table)
  const partitionOf = partitionFinder(partitioning)
  const oids = [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 32n, 2n ** 31n, -(2n ** 31n), 36028941624528297n]
  for (let i = 0; i < 500; i++) oids.push(BigInt.asIntN(64, BigInt(i) * 0x9e3779b97f4a7c15n))
  const modulus = partitioning!.bounds.length
  const rows = await database.query(
    `SELECT r FROM unnest($1::int8[]) WITH ORDINALITY AS o(oid, n)
       JOIN LATERAL (SELECT r FROM generate_series(0, $2 - 1) r WHERE satisfies_hash_partition($3::regclass, $2, r, o.oid)) AS p ON true
      ORDER BY n`,
    [oids.map(String), modulus, table],
  )
  expect(oids.map(partitionOf)).toEqual(rows.flat())
  expect(new Set(rows.flat()).size).toBe(modulus)
})

it('names the partitions that are missing, of one modulus or of several', async () => {
  await database.query('DROP TABLE probability_part_3, probability_part_11')
  const of16 = [3, 11].map((remainder) => ({ modulus: 16, remainder }))
  expect(missingPartitions((await partitioningOf('probability'))!)).toEqual(of16)
  await database.query('CREATE TABLE two_in_one PARTITION OF probability FOR VALUES WITH (MODULUS 8, REMAINDER 3)')
  expect(missingPartitions((await partitioningOf('probability'))!)).toEqual([])
  expect(await partitioningOf('taxonomy')).toBeUndefined()
})
