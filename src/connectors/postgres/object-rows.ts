// Rows of a long table, an object's rows together → objects.
import { type BinaryRows, createBinaryRows } from './client/binary.ts'
import type { Connection } from './client/connection.ts'
import type { ObjectRow } from './query.ts'

/** What becomes of an object's rows; `rows` stand at the row in question, whose first field is the object's id. */
export interface Gatherer<Gathering> {
  begin(rows: BinaryRows): Gathering
  add(object: Gathering, rows: BinaryRows): void
  /** undefined: the object is passed over */
  finish(object: Gathering): ObjectRow | undefined
}

/**
 * @param statement a binary COPY whose first field is the object's id
 * @returns objects in its order, as many at a time as a chunk of its answer ends
 */
export async function* readObjects<Gathering>(
  connection: Connection,
  statement: string,
  fieldCount: number,
  { begin, add, finish }: Gatherer<Gathering>,
): AsyncGenerator<ObjectRow[], void, undefined> {
  const rows = createBinaryRows(fieldCount)
  let current: { readonly id: Buffer | undefined; readonly object: Gathering } | undefined
  for await (const chunk of connection.copyOut(statement)) {
    const ready: ObjectRow[] = []
    rows.push(chunk)
    while (rows.next()) {
      if (!current || !isSameId(rows, current.id)) {
        const done = current && finish(current.object)
        if (done) ready.push(done)
        current = { id: idOf(rows), object: begin(rows) }
      }
      add(current.object, rows)
    }
    if (ready.length > 0) yield ready
  }
  rows.finish()
  const done = current && finish(current.object)
  if (done) yield [done]
}

function isSameId({ bytes, starts, lengths }: BinaryRows, id: Buffer | undefined): boolean {
  const length = lengths[0]!
  const start = starts[0]!
  if (!id || length !== id.length) return !id && length < 0
  for (let i = 0; i < length; i++) if (bytes[start + i] !== id[i]) return false
  return true
}

/** undefined for null */
function idOf({ bytes, starts, lengths }: BinaryRows): Buffer | undefined {
  return lengths[0]! < 0 ? undefined : Buffer.from(bytes.subarray(starts[0], starts[0]! + lengths[0]!))
}
