// The footer of a Parquet file, read before DuckDB sees it: its lists are no longer than the bytes that could hold them.
import { open } from 'node:fs/promises'
import { DataError } from '../../errors.ts'
import { type InputFile, unreadable } from './byte-input.ts'
import { readStruct, type ThriftStruct } from './compact-thrift.ts'

/** The length of the footer and the magic stand at the end. */
const tailLength = 8

/**
 * DuckDB makes room for as many items as a list claims: 6 kB took 8 GB.
 *
 * @throws DataError for a footer that is cut off, or whose counts, lengths or nesting cannot be
 */
export async function readParquetFooter(file: InputFile): Promise<ThriftStruct> {
  const footer = await readFooter(file)
  try {
    return readStruct({ bytes: footer, at: 0 })
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new DataError(`${file.name}: cannot be read: its footer is damaged`, { cause })
  }
}

async function readFooter({ path, size, name }: InputFile): Promise<Buffer> {
  if (size < tailLength) throw new DataError(`${name} is not a Parquet file`)
  const handle = await open(path).catch((cause: unknown) => {
    throw unreadable(name, cause)
  })
  try {
    const { buffer: tail } = await handle.read(Buffer.alloc(tailLength), 0, tailLength, size - tailLength)
    const length = tail.readUInt32LE(0)
    if (length > size - tailLength) throw new DataError(`${name}: cannot be read: its footer is longer than the file`)
    return (await handle.read(Buffer.alloc(length), 0, length, size - tailLength - length)).buffer
  } finally {
    await handle.close()
  }
}
