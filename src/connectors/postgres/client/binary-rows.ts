// Rows of `COPY … TO STDOUT (FORMAT binary)`, one at a time out of chunks that end anywhere.
import { ServiceError } from '../../../errors.ts'

/**
 * Reads rows by hand: `push` a chunk, then `next` until it says false. `bytes`, `starts` and `lengths` are of the row that
 * `next` found and hold until the next call. Numbers are big-endian; a length of −1 is null.
 */
export interface BinaryRows {
  push(chunk: Buffer): void
  next(): boolean
  /** @throws ServiceError if the rows have not come to their own end: a part must not pass for the whole */
  finish(): void
  readonly bytes: Buffer
  /** where each field begins in `bytes` */
  readonly starts: Int32Array
  readonly lengths: Int32Array
}

const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1')
const headerLength = signature.length + 8
const nothing = Buffer.alloc(0)

/** @param fieldCount what each row has: anything else is an error of the protocol */
export function createBinaryRows(fieldCount: number): BinaryRows {
  const starts = new Int32Array(fieldCount)
  const lengths = new Int32Array(fieldCount)
  let bytes: Buffer = nothing
  let at = 0
  let hasHeader = false
  let isEnded = false

  function push(chunk: Buffer): void {
    // what is left is less than a row
    bytes = at === bytes.length ? chunk : Buffer.concat([bytes.subarray(at), chunk])
    at = 0
  }

  function skipHeader(): boolean {
    if (bytes.length < headerLength) return false
    const extension = bytes.readInt32BE(headerLength - 4)
    if (!bytes.subarray(0, signature.length).equals(signature) || extension !== 0) {
      throw new ServiceError('Postgres answered something other than COPY data')
    }
    at = headerLength
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
      if (length > 0) place += length
      if (place > bytes.length) return false
    }
    at = place
    return true
  }

  return {
    push,
    next,
    finish() {
      if (!isEnded) throw new ServiceError('the rows of Postgres broke off before their end')
    },
    starts,
    lengths,
    get bytes() {
      return bytes
    },
  }
}
