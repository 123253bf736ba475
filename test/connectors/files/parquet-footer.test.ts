import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { inspectFile } from '../../../src/connectors/files/byte-input.ts'
import { readParquetFooter } from '../../../src/connectors/files/parquet-footer.ts'
import { fixture } from '../../support/objects.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

async function check(footer: readonly number[], length = footer.length): Promise<unknown> {
  const path = join(temporaryFolder(), 'x.parquet')
  const end = Buffer.from(Uint32Array.of(length).buffer)
  await writeFile(path, Buffer.concat([Buffer.from('PAR1'), Buffer.from(footer), end, Buffer.from('PAR1')]))
  return readParquetFooter(await inspectFile(path, 'x.parquet'))
}

const [version, end] = [[0x15, 0x02], [0x00]]

it.each([
  ['a list of 2^30 structs', [...version, 0x19, 0xfc, 0x80, 0x80, 0x80, 0x80, 0x04, ...end]],
  ['a text of 2^30 bytes', [...version, 0x18, 0x80, 0x80, 0x80, 0x80, 0x04, ...end]],
  ['structs in structs', [...Array<number>(1000).fill(0x1c), ...end]],
  ['a number without an end', Array<number>(50).fill(0xff)],
])('a footer with %s is refused before anybody makes room for it', async (_, footer) => {
  await expect(check(footer)).rejects.toThrow('x.parquet: cannot be read: its footer is damaged')
})

it('a footer longer than the file is refused', async () => {
  await expect(check([...version, ...end], 1000)).rejects.toThrow('its footer is longer than the file')
})

it.each(['pyarrow-zstd.parquet', 'polars.parquet', 'duckdb.parquet'])('%s passes', async (file) => {
  await readParquetFooter(await inspectFile(fixture(file), file))
})
