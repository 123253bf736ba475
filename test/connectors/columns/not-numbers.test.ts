import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tableFromArrays, tableToIPC } from 'apache-arrow'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { describe, expect, it } from 'vitest'
import { openSource } from '../../../src/connectors/open-connector.ts'
import type { InputFormat } from '../../../src/connectors/address.ts'
import { fileSpec, readOnce, readOptions } from '../../support/objects.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const folder = temporaryFolder()
const rows = { oid: ['o1', 'o2'], a: ['x', '1'], b: ['2', '2'], c: ['y'.repeat(99), '3'] }

/** The same two rows in every format that may hold text where numbers should be. */
const files: [InputFormat, string | Uint8Array][] = [
  ['csv', `oid,a,b,c\no1,${rows.a[0]},2,${rows.c[0]}\no2,1,2,3\n`],
  ['ndjson', `{"oid":"o1","a":"x","b":2,"c":"${rows.c[0]}"}\n{"oid":"o2","a":1,"b":2,"c":3}\n`],
  ['arrow', tableToIPC(tableFromArrays(rows), 'file')],
  [
    'parquet',
    new Uint8Array(parquetWriteBuffer({ columnData: Object.entries(rows).map(([name, data]) => ({ name, data })) })),
  ],
]

describe('values that are no numbers', () => {
  it.each(files)('reject a row of %s for the first of them, or for all where that is asked', async (format, bytes) => {
    const path = join(folder, `x.${format}`)
    writeFileSync(path, bytes)
    const read = async (tellsAll: boolean) =>
      readOnce(await openSource(fileSpec(path, format), readOptions({ features: ['a', 'b', 'c'], tellsAll })))
    const first = { oid: 'o1', reason: 'a is not a number', value: 'x' }
    const one = await read(false)
    expect([one.oids, one.read]).toEqual([['o2'], 2])
    expect(one.rejected).toEqual([{ ...first, where: expect.any(String) as string }])
    const all = await read(true)
    const others = [{ reason: 'c is not a number', value: `${'y'.repeat(60)}…` }]
    expect(all.rejected).toMatchObject([{ ...first, others }])
  })
})
