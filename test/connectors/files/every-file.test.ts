import { describe, expect, it } from 'vitest'
import { openSource } from '../../../src/connectors/open-connector.ts'
import type { InputFormat } from '../../../src/connectors/address.ts'
import type { ReadOptions } from '../../../src/pipeline/source.ts'
import { bits, candids, features, fileSpec, fixture, oids, readOnce, readOptions } from '../../support/objects.ts'

type Case = readonly [file: string, format: InputFormat, changes?: Partial<ReadOptions>]

// FITS names columns in ASCII, and blanks at the end of a name do not count
const inAscii = {
  rename: new Map([
    ['Unicode', 'Ünïcode ⚡'],
    [' padded', ' padded '],
  ]),
}

const cases: readonly Case[] = [
  ['pyarrow-none.parquet', 'parquet'],
  ['pyarrow-snappy.parquet', 'parquet'],
  ['pyarrow-zstd.parquet', 'parquet'],
  ['pyarrow-gzip.parquet', 'parquet'],
  ['pyarrow-lz4.parquet', 'parquet'],
  ['pyarrow-brotli.parquet', 'parquet'],
  ['pyarrow-v1-plain.parquet', 'parquet'],
  ['pyarrow-v2-pages.parquet', 'parquet'],
  ['pyarrow-categories.parquet', 'parquet'],
  ['pyarrow-large-string.parquet', 'parquet'],
  ['binary-oid.parquet', 'parquet'],
  ['pandas-index.parquet', 'parquet'],
  ['pandas-unnamed-index.parquet', 'parquet', { idColumn: '__index_level_0__' }],
  ['polars.parquet', 'parquet'],
  ['objects.csv', 'csv'],
  ['crlf-and-mark.csv', 'csv'],
  ['objects.tsv', 'tsv'],
  ['objects.csv.gz', 'csv'],
  ['pandas.csv', 'csv'],
  ['polars.csv', 'csv'],
  ['flat.ndjson', 'ndjson'],
  ['nested.ndjson', 'ndjson'],
  ['nested.ndjson.gz', 'ndjson'],
  ['file-plain.arrow', 'arrow'],
  ['file-lz4.arrow', 'arrow'],
  ['file-zstd.arrow', 'arrow'],
  ['stream-plain.arrow', 'arrow'],
  ['stream-lz4.arrow', 'arrow'],
  ['stream-zstd.arrow', 'arrow'],
  ['dictionary.arrow', 'arrow'],
  ['pandas.feather', 'arrow'],
  ['polars.arrow', 'arrow'],
  ['polars-stream.arrow', 'arrow'],
  ['record-null.avro', 'avro'],
  ['record-deflate.avro', 'avro'],
  ['map-null.avro', 'avro'],
  ['astropy.fits', 'fits', inAscii],
  ['astropy.fits.gz', 'fits', inAscii],
  ['astropy-table.fits', 'fits', inAscii],
  ['astropy-tabledata.vot', 'votable'],
  ['astropy-binary.vot', 'votable'],
  ['astropy-binary2.vot', 'votable'],
  ['astropy-binary2.vot.gz', 'votable'],
]

describe('the same objects in every format', () => {
  for (const [file, format, changes] of cases) {
    it(`${file} gives every value bit for bit`, async () => {
      const source = await openSource(fileSpec(fixture(file), format), readOptions(changes))
      expect(source.schema).toMatchObject({ oidType: 'string', hasCandid: true })
      const rows = await readOnce(source)
      expect(rows.rejected).toEqual([])
      expect(rows.oids).toEqual(oids)
      expect(rows.candids).toEqual(candids)
      expect(rows.bits).toEqual(bits)
    })
  }

  it('reads a column that another tool left out of case collisions', async () => {
    const others = features.filter((name) => name !== 'amplitude_1')
    const options = readOptions({ features: others })
    const rows = await readOnce(await openSource(fileSpec(fixture('duckdb.parquet'), 'parquet'), options))
    expect(rows.oids).toEqual(oids)
    expect(rows.bits).toEqual(bits.map((row) => row.filter((_, f) => features[f] !== 'amplitude_1')))
  })

  it.each([
    ['no-rows.parquet', 'parquet'],
    ['no-rows.arrow', 'arrow'],
  ] as const)('%s has a schema and no rows', async (file, format) => {
    const source = await openSource(fileSpec(fixture(file), format), readOptions())
    expect(source.schema).toMatchObject({ oidType: 'string', hasCandid: true })
    expect(await readOnce(source)).toMatchObject({ oids: [], read: 0, batchSizes: [] })
  })
})
