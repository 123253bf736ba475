import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openConnector } from '../../src/connectors/open-connector.ts'
import { UsageError } from '../../src/errors.ts'
import { contextOf, golden, goldenBatch } from '../support/classified-samples.ts'
import { fixture, oids, readOnce, readOptions } from '../support/objects.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lcclf-connector-'))
})

afterAll(async () => {
  await rm(folder, { recursive: true })
})

describe('a connector', () => {
  it.each(['objects.csv', 'flat.ndjson', 'pyarrow-zstd.parquet'])('reads %s by its address', async (name) => {
    const source = await openConnector(fixture(name)).source(readOptions())
    expect((await readOnce(source)).oids).toEqual(oids)
  })

  it('writes what the name of its address asks for', async () => {
    const path = join(folder, 'out.csv')
    const sink = await openConnector(path, { layout: 'long' }).sink(contextOf({ oidType: 'string', hasCandid: false }))
    await sink.write(goldenBatch(0, 1))
    await sink.finish()
    await sink.publish()
    const [header, first] = (await readFile(path, 'utf8')).split('\n')
    expect(header).toBe('oid,classifier_name,classifier_version,class_name,probability,ranking')
    expect(first).toContain(golden.oid[0])
  })

  it('refuses an address that stands for several inputs, or for no format', async () => {
    const several = openConnector(fixture('*.csv'), {}).source(readOptions())
    await expect(several).rejects.toThrow(/stands for \d+ inputs/)
    const context = contextOf({ oidType: 'string', hasCandid: false })
    await expect(openConnector(join(folder, 'out.xyz')).sink(context)).rejects.toThrow(UsageError)
  })
})
