// Columns of doubles in a Parquet row group, written without a call a value: hyparquet-writer takes six times as long for them.
import type { ParquetWriter } from 'hyparquet-writer'

type RowGroup = ParquetWriter['row_groups'][number]
type ColumnChunk = RowGroup['columns'][number]

/** What is written to: hyparquet-writer's buffer. */
interface Bytes {
  readonly offset: number
  appendBytes(bytes: Uint8Array): void
}

/**
 * Writes a column without nulls as one page of plain values, compressed.
 *
 * @param values of the whole row group
 * @returns what the footer says of it
 */
export function writeDoubles(
  bytes: Bytes,
  name: string,
  values: Float64Array,
  compress: (page: Uint8Array) => Uint8Array,
): ColumnChunk {
  const start = bytes.offset
  const plain = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  const page = compress(plain)
  const header = pageHeader(values.length, plain.length, page.length)
  bytes.appendBytes(header)
  bytes.appendBytes(page)
  return {
    file_offset: BigInt(start),
    meta_data: {
      type: 'DOUBLE',
      encodings: ['PLAIN'],
      path_in_schema: [name],
      codec: 'ZSTD',
      num_values: BigInt(values.length),
      total_compressed_size: BigInt(bytes.offset - start),
      total_uncompressed_size: BigInt(header.length + plain.length),
      data_page_offset: BigInt(start),
      statistics: boundsOf(values),
      encoding_stats: [{ page_type: 'DATA_PAGE_V2', encoding: 'PLAIN', count: 1 }],
    },
  }
}

/** As the format asks: NaN counts for neither, the least zero is −0 and the largest 0. */
function boundsOf(values: Float64Array) {
  let [least, most, missing] = [Infinity, -Infinity, 0]
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (value < least) least = value
    if (value > most) most = value
    if (value !== value) missing++
  }
  const counts = { null_count: 0n, nan_count: BigInt(missing) }
  if (missing === values.length) return counts
  return { min_value: least === 0 ? -0 : least, max_value: most === 0 ? 0 : most, ...counts }
}

/** A data page of the second version, in Thrift's compact protocol: values that are all there, no levels. */
function pageHeader(count: number, plainSize: number, packedSize: number): Uint8Array {
  const int = 5
  const struct = 12
  const [yes, end] = [1, 0]
  const step = (fields: number, type: number): number => fields * 16 + type
  return Uint8Array.from([
    ...[step(1, int), ...folded(3), step(1, int), ...folded(plainSize), step(1, int), ...folded(packedSize)],
    ...[step(5, struct), step(1, int), ...folded(count), step(1, int), ...folded(0), step(1, int), ...folded(count)],
    // plain values; no definition levels, no repetition levels; compressed
    ...[step(1, int), ...folded(0), step(1, int), ...folded(0), step(1, int), ...folded(0), step(1, yes), end, end],
  ])
}

/** A number that is not negative, as the protocol writes one that might be. */
function folded(value: number): number[] {
  const digits: number[] = []
  let rest = value * 2
  for (; rest >= 128; rest = Math.floor(rest / 128)) digits.push((rest % 128) + 128)
  return [...digits, rest]
}
