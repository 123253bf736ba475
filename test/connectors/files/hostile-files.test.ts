import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { LcclfError } from '../../../src/errors.ts'
import { openSource } from '../../../src/connectors/open-connector.ts'
import type { InputFormat } from '../../../src/connectors/address.ts'
import { fileSpec, fixture, readOnce, readOptions } from '../../support/objects.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

let folder: string

beforeAll(async () => {
  folder = temporaryFolder()
})

/** One change to some bytes; places are fractions, so that they fit files of any length. */
interface Change {
  readonly kind: 'bit' | 'byte' | 'cut' | 'insert' | 'remove' | 'int32' | 'int64'
  readonly at: number
  readonly value: number
  readonly isNearEnd: boolean
}

const changes: fc.Arbitrary<Change[]> = fc.array(
  fc.record({
    kind: fc.constantFrom<Change['kind']>('bit', 'byte', 'cut', 'insert', 'remove', 'int32', 'int64'),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    value: fc.nat(255),
    // footers and lengths are there
    isNearEnd: fc.boolean(),
  }),
  { minLength: 1, maxLength: 4 },
)

const lengths32 = [0x7fffffff, -1, 0, 0x10000000, -0x80000000]
const lengths64 = [2n ** 62n, -1n, 2n ** 31n, 2n ** 40n, 0n]

function changed(bytes: Buffer, { kind, at: fraction, value, isNearEnd }: Change): Buffer {
  const span = isNearEnd ? Math.min(800, bytes.length) : bytes.length
  const at = Math.min(bytes.length - 1, bytes.length - span + Math.floor(fraction * span))
  const copy = Buffer.from(bytes)
  switch (kind) {
    case 'bit':
      copy[at]! ^= 1 << (value % 8)
      return copy
    case 'byte':
      copy[at] = value
      return copy
    case 'cut':
      return copy.subarray(0, at)
    case 'insert':
      return Buffer.concat([copy.subarray(0, at), Buffer.alloc(1 + (value % 20), value), copy.subarray(at)])
    case 'remove':
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + 1 + (value % 20))])
    case 'int32':
      if (at + 4 <= copy.length) copy.writeInt32LE(lengths32[value % lengths32.length]!, at)
      return copy
    case 'int64':
      if (at + 8 <= copy.length) copy.writeBigInt64LE(lengths64[value % lengths64.length]!, at)
      return copy
  }
}

/** Reads bytes as a file: whatever they are, rows, rejects or an error that says so in one line. */
async function readsOrSays(bytes: Uint8Array, format: InputFormat): Promise<void> {
  const path = join(folder, 'hostile')
  await writeFile(path, bytes)
  try {
    const options = readOptions(format === 'fits' ? { features: ['W1-W2', 'select'] } : {})
    const source = await openSource(fileSpec(path, format, 'hostile'), options)
    const { read, oids, rejected } = await readOnce(source)
    expect(read).toBe(oids.length + rejected.length)
  } catch (error) {
    expect(error).toBeInstanceOf(LcclfError)
    expect((error as Error).message).toMatch(/^hostile[ :][^\n]+$/)
  }
}

const cases: readonly [InputFormat, number, readonly string[]][] = [
  ['csv', 300, ['objects.csv', 'crlf-and-mark.csv', 'objects.csv.gz']],
  ['ndjson', 300, ['flat.ndjson', 'nested.ndjson', 'nested.ndjson.gz']],
  [
    'arrow',
    500,
    [
      'file-plain.arrow',
      'stream-plain.arrow',
      'file-lz4.arrow',
      'stream-zstd.arrow',
      'dictionary.arrow',
      'polars.arrow',
      'kinds.arrow',
      'candid-lists.arrow',
    ],
  ],
  ['fits', 300, ['astropy.fits', 'astropy-table.fits', 'astropy.fits.gz']],
  ['votable', 300, ['astropy-tabledata.vot', 'astropy-binary.vot', 'astropy-binary2.vot', 'astropy-binary2.vot.gz']],
  ['avro', 500, ['record-null.avro', 'record-deflate.avro', 'map-null.avro']],
  [
    'parquet',
    120,
    [
      'pyarrow-zstd.parquet',
      'pyarrow-snappy.parquet',
      'polars.parquet',
      'pyarrow-v2-pages.parquet',
      'candid-lists.parquet',
    ],
  ],
]

describe.each(cases)('damaged or hostile %s', { tags: ['long'] }, (format, numRuns, files) => {
  const originals = files.map((file) => readFileSync(fixture(file)))

  it('gives rows, rejects, or one line that says what is wrong', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(files.length - 1), changes, async (file, list) => {
        let bytes: Buffer = originals[file]!
        for (const change of list) if (bytes.length > 0) bytes = changed(bytes, change)
        await readsOrSays(bytes, format)
      }),
      { numRuns },
    )
  })

  it('may be any bytes at all', async () => {
    const start = fc.constantFrom(
      '',
      'PAR1',
      'ARROW1\0\0',
      '\xff\xff\xff\xff',
      'Obj\x01',
      'SIMPLE  =',
      '<?xml version="1.0"?><VOTABLE>',
      '\x1f\x8b',
      'oid,a\n',
      '{"oid":',
    )
    await fc.assert(
      fc.asyncProperty(start, fc.uint8Array({ maxLength: 300 }), async (text, bytes) => {
        await readsOrSays(Buffer.concat([Buffer.from(text, 'latin1'), bytes]), format)
      }),
      { numRuns: 100 },
    )
  })
})
