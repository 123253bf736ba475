// Values in Postgres' binary form: float64 and int64 arrive as they are, and nothing is parsed twice.
import { ServiceError } from '../../../errors.ts'
import { ByteWriter } from '../../../formats/byte-writer.ts'

const copySignature = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
const copyEnd = Buffer.from([0xff, 0xff])

/**
 * `COPY … FROM STDIN (FORMAT binary)` in pieces of about `pieceLength` bytes.
 *
 * @param writeRow writes the number of fields and each of them
 */
export function* copyPieces(
  rowCount: number,
  writeRow: (row: number, writer: ByteWriter) => void,
  pieceLength = 1 << 18,
): Generator<Buffer, void, undefined> {
  yield copySignature
  const writer = new ByteWriter(pieceLength + 4096)
  for (let row = 0; row < rowCount; row++) {
    writeRow(row, writer)
    if (writer.length >= pieceLength) yield writer.take()
  }
  if (writer.length > 0) yield writer.take()
  yield copyEnd
}

export function textArray(values: readonly string[]): Buffer {
  return arrayOf(25, values, (writer, value) => writer.text(value))
}

export function float64Array(values: ArrayLike<number>): Buffer {
  return arrayOf(701, values, (writer, value) => {
    writer.int32(8)
    writer.float64(value)
  })
}

export function int32Array(values: ArrayLike<number>): Buffer {
  return arrayOf(23, values, (writer, value) => {
    writer.int32(4)
    writer.int32(value)
  })
}

/** `int8[]` with nulls */
export function int64Array(values: readonly (bigint | null)[]): Buffer {
  return arrayOf(20, values, (writer, value) => {
    writer.int32(value === null ? -1 : 8)
    if (value !== null) writer.int64(value)
  })
}

/** @param elementType an OID of pg_type, which never changes */
function arrayOf<T>(elementType: number, values: ArrayLike<T>, write: (writer: ByteWriter, value: T) => void): Buffer {
  const writer = new ByteWriter(20 + values.length * 24)
  writer.int32(values.length === 0 ? 0 : 1)
  // there may be nulls: the server looks for itself
  writer.int32(1)
  writer.int32(elementType)
  if (values.length > 0) {
    writer.int32(values.length)
    writer.int32(1)
  }
  for (let i = 0; i < values.length; i++) write(writer, values[i]!)
  return writer.take()
}

/** A list of texts as a literal of SQL, for statements that take no values (COPY). */
export function textArrayLiteral(values: readonly string[]): string {
  const items = values.map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`).join(',')
  return `${literal(`{${items}}`)}::text[]`
}

/** A text as a literal of SQL, whatever standard_conforming_strings says. */
export function literal(text: string): string {
  const doubled = text.replace(/'/g, "''")
  return doubled.includes('\\') ? ` E'${doubled.replace(/\\/g, '\\\\')}'` : `'${doubled}'`
}

export function identifier(name: string): string {
  return `"${name.replace(/"/g, '""')}"`
}

/** ids, names and numbers: the next chunks of a field that claims more would fill the memory */
const longestField = 16 * 1024 * 1024
const signature = copySignature.subarray(0, 11)

export type BinaryRows = ReturnType<typeof createBinaryRows>

/**
 * Reads rows one at a time out of chunks that end anywhere: `push` a chunk, then `next` until it says false. `bytes`,
 * `starts` and `lengths` belong to the row that `next` found and hold until the next call. Numbers are big-endian; a length
 * of −1 is null.
 *
 * @param fieldCount what each row has: anything else is an error of the protocol
 */
export function createBinaryRows(fieldCount: number) {
  const starts = new Int32Array(fieldCount)
  const lengths = new Int32Array(fieldCount)
  let bytes: Buffer = Buffer.alloc(0)
  let at = 0
  let hasHeader = false
  let isEnded = false

  function skipHeader(): boolean {
    if (bytes.length < copySignature.length) return false
    const extension = bytes.readInt32BE(copySignature.length - 4)
    if (!bytes.subarray(0, signature.length).equals(signature) || extension !== 0) {
      throw new ServiceError('Postgres answered something other than COPY data')
    }
    at = copySignature.length
    hasHeader = true
    return true
  }

  function next(): boolean {
    if (isEnded || (!hasHeader && !skipHeader()) || at + 2 > bytes.length) return false
    const fields = bytes.readInt16BE(at)
    if (fields !== fieldCount) {
      if (fields !== -1) throw new ServiceError(`Postgres answered a row of ${fields} fields in place of ${fieldCount}`)
      isEnded = true
      at = bytes.length
      return false
    }
    let place = at + 2
    for (let field = 0; field < fieldCount; field++) {
      if (place + 4 > bytes.length) return false
      const length = bytes.readInt32BE(place)
      place += 4
      starts[field] = place
      lengths[field] = length
      if (length < -1 || length > longestField) {
        throw new ServiceError(`Postgres answered a field of ${length} bytes: ids and numbers are shorter`)
      }
      if (length > 0) place += length
      if (place > bytes.length) return false
    }
    at = place
    return true
  }

  return {
    /** where each field begins in `bytes` */
    starts,
    lengths,
    get bytes() {
      return bytes
    },
    push(chunk: Buffer): void {
      // what is left is less than a row
      bytes = at === bytes.length ? chunk : Buffer.concat([bytes.subarray(at), chunk])
      at = 0
    },
    next,
    /** The text of a field; undefined for null. */
    text(field: number): string | undefined {
      const start = starts[field]!
      return lengths[field]! < 0 ? undefined : bytes.toString('utf8', start, start + lengths[field]!)
    },
    /** @throws ServiceError if the rows have not reached their own end: a part must not pass for the whole */
    finish(): void {
      if (!isEnded) throw new ServiceError('the rows of Postgres broke off before their end')
    },
  }
}
