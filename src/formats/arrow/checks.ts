// What the Arrow library takes on trust, checked before it is given a message: that counts and places fit what is there.

/** Numbers of the union MessageHeader in Arrow's Message.fbs. */
export const messageKinds = { schema: 1, dictionary: 2, batch: 3 } as const

/** Longer metadata are none. */
export const longestMetadata = 64 * 1024 * 1024
const longestBody = 2 ** 32
/** one buffer, decompressed */
const longestBuffer = 2 ** 31
const mostRows = BigInt(2 ** 31)
const mostFields = 100_000
const deepestField = 64

/**
 * Reads what must be known of a message before its body.
 *
 * @throws RangeError for metadata that are damaged
 */
export function arrowMessageKind(metadata: Buffer): { readonly kind: number; readonly bodyLength: number } {
  const message = flatRoot(viewOf(metadata))
  const bodyLength = Number(message.long(3))
  if (bodyLength < 0 || bodyLength > longestBody) throw new RangeError('a body of impossible length')
  return { kind: message.byte(1), bodyLength }
}

/** @throws RangeError for a message whose parts do not fit together */
export function checkArrowMessage(metadata: Buffer, body: Buffer): void {
  const message = flatRoot(viewOf(metadata))
  const header = message.table(2)
  if (!header) throw new RangeError('a message without a header')
  const kind = message.byte(1)
  if (kind === messageKinds.schema) return checkArrowSchema(header)
  if (kind !== messageKinds.dictionary && kind !== messageKinds.batch) throw new RangeError('an unknown message')
  const batch = kind === messageKinds.batch ? header : header.table(1)
  if (!batch) throw new RangeError('a dictionary without data')
  checkBatch(batch, viewOf(metadata), viewOf(body))
}

/** @throws RangeError for a schema that is not to be walked, or is big-endian */
export function checkArrowSchema(schema: FlatTable): void {
  if (schema.short(0) !== 0) throw new RangeError('big-endian data')
  let fieldsLeft = mostFields
  const checkField = (field: FlatTable, depth: number): void => {
    if (--fieldsLeft < 0 || depth === 0) throw new RangeError('more fields than there can be')
    for (const child of field.tables(5)) checkField(child, depth - 1)
  }
  for (const field of schema.tables(1)) checkField(field, deepestField)
}

function checkBatch(batch: FlatTable, metadata: DataView, body: DataView): void {
  const rowCount = batch.long(0)
  if (rowCount < 0n || rowCount > mostRows) throw new RangeError('an impossible number of rows')
  for (const node of batch.vector(1, 16)) {
    const length = metadata.getBigInt64(node, true)
    const nulls = metadata.getBigInt64(node + 8, true)
    if (length < 0n || length > mostRows || nulls < 0n || nulls > length) throw new RangeError('an impossible column')
  }
  const isCompressed = batch.table(3) !== undefined
  const buffers = batch.vector(2, 16)
  for (const buffer of buffers) checkBuffer(metadata, buffer, body, isCompressed)
  for (const variadic of batch.vector(4, 8)) {
    const count = metadata.getBigInt64(variadic, true)
    if (count < 0n || count > BigInt(buffers.length)) throw new RangeError('an impossible number of buffers')
  }
}

function checkBuffer(metadata: DataView, place: number, body: DataView, isCompressed: boolean): void {
  const offset = Number(metadata.getBigInt64(place, true))
  const length = Number(metadata.getBigInt64(place + 8, true))
  if (offset < 0 || length < 0 || offset + length > body.byteLength) throw new RangeError('a column beyond its data')
  if (!isCompressed || length === 0) return
  const plainLength = Number(body.getBigInt64(offset, true))
  if (plainLength < -1 || plainLength > longestBuffer) throw new RangeError('a column of impossible size')
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

// Reading a FlatBuffer's tables with every offset and length checked: the generated readers trust them.

/** A table inside a buffer; slots are numbered as in the schema. Every read is within the buffer or throws RangeError. */
interface FlatTable {
  /** where in the buffer the table is */
  readonly start: number
  byte(slot: number): number
  short(slot: number): number
  long(slot: number): bigint
  table(slot: number): FlatTable | undefined
  /** where in the buffer each element of a vector of scalars or structs begins; `size`: bytes an element takes */
  vector(slot: number, size: number): readonly number[]
  /** of a vector of tables */
  tables(slot: number): readonly FlatTable[]
}

export function flatRoot(view: DataView): FlatTable {
  return tableAt(view, view.getUint32(0, true))
}

function tableAt(view: DataView, start: number): FlatTable {
  const vtable = start - view.getInt32(start, true)
  const vtableSize = view.getUint16(vtable, true)

  /** place of a slot's value, or 0 where the slot has its default */
  function place(slot: number): number {
    const entry = 4 + slot * 2
    if (entry + 2 > vtableSize) return 0
    const offset = view.getUint16(vtable + entry, true)
    return offset === 0 ? 0 : start + offset
  }

  function vector(slot: number, size: number): readonly number[] {
    const at = place(slot)
    if (at === 0) return []
    const head = at + view.getUint32(at, true)
    const length = view.getUint32(head, true)
    if (head + 4 + length * size > view.byteLength) throw new RangeError('a vector beyond its buffer')
    return Array.from({ length }, (_, i) => head + 4 + i * size)
  }

  return {
    start,
    byte: (slot) => (place(slot) === 0 ? 0 : view.getUint8(place(slot))),
    short: (slot) => (place(slot) === 0 ? 0 : view.getInt16(place(slot), true)),
    long: (slot) => (place(slot) === 0 ? 0n : view.getBigInt64(place(slot), true)),
    table(slot) {
      const at = place(slot)
      return at === 0 ? undefined : tableAt(view, at + view.getUint32(at, true))
    },
    vector,
    tables: (slot) => vector(slot, 4).map((at) => tableAt(view, at + view.getUint32(at, true))),
  }
}
